"""One self-contained HTML page to look at trained models: sliders, and a decoder that runs in it.

The page's code is `explorer.css` and, in this order, `decoder.js`, `gif.js` and `explorer.js`.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from autobeta.errors import printable
from autobeta.reports._html import as_script_json, digest
from autobeta.reports._load import RunRecord
from autobeta.run.out import write_out

SCRIPTS = ("decoder.js", "gif.js", "explorer.js")
STYLES = ("style.css", "explorer.css")
FEW = 0.1  # share of a factor below which a latent is not said to change it
REACH = 3.0  # standard deviations of the prior that a slider goes to, at least

Kind = Literal["linear", "transposed", "relu", "tanh", "unflatten"]
Link = Literal["linear", "logistic", "continuous_bernoulli"]
Pictures = UInt8[np.ndarray, "n height width channels"]


@dataclass(frozen=True)
class PageLayer:
    """A layer as the page computes it.

    Args:
        kind: linear, transposed, relu, tanh or unflatten.
        facts: Its sizes, as `decoder.js` reads them.
        weight: (in, out) of a linear layer, (height, width, in, out) of a transposed convolution.
        bias: (out,), zeros where the layer has none.
    """

    kind: Kind
    facts: Mapping[str, Any] = field(default_factory=dict)
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class ExploredRun:
    """What the page has of a run.

    Args:
        record: The run as its folder tells it.
        image_shape: (height, width, channels).
        layers: The decoder.
        link: From the decoder's outputs to the mean image.
        precision: Type that keeps the weights as far as the pixels need them.
        kl: Mean KL of each latent, nats.
        active: Whether each latent is active.
        reach: Largest absolute code of each latent.
        shares: Share of each factor's entropy that each latent tells; no columns without factors.
        factor_names: One for each column.
        originals: Images from the data.
        codes: Their posterior means.
    """

    record: RunRecord
    image_shape: tuple[int, int, int]
    layers: Sequence[PageLayer]
    link: Link
    precision: Literal["float16", "float32"]
    kl: Float[np.ndarray, " latents"]
    active: np.ndarray
    reach: Float[np.ndarray, " latents"]
    shares: Float[np.ndarray, "latents factors"]
    factor_names: Sequence[str]
    originals: Pictures
    codes: Float[np.ndarray, "n latents"]


def write_explorer(runs: Sequence[ExploredRun], out: Path) -> Path:
    """Write `explorer_page`. A former file `out` is replaced; a folder is a ValueError."""
    page = explorer_page(runs).encode()
    write_out(out, lambda file: file.write(page))
    return out


def explorer_page(runs: Sequence[ExploredRun]) -> str:
    """The page as HTML; runs whose images from the data are the same share them.

    It needs no network and no other file, and shows names as text, whatever they hold.
    """
    many = len(runs) > 1
    title = f"Explorer of {len(runs)} runs" if many else f"Explorer of {runs[0].record.name}"
    style, script = _sources(STYLES), _sources(SCRIPTS)
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src {digest(style)}; "
        f"script-src {digest(script)}"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n"
        "<noscript><p>This page needs JavaScript: it decodes the images itself.</p></noscript>\n"
        '<main id="explorer"></main>\n'
        "<footer>Written by autobeta. The decoders are in this file and run in your browser; "
        "nothing is fetched or sent.</footer>\n"
        f'<script type="application/json" id="data">{as_script_json(_data(runs))}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _sources(names: Sequence[str]) -> str:
    return "\n".join(Path(__file__).with_name(name).read_text("utf-8") for name in names)


def _data(runs: Sequence[ExploredRun]) -> dict[str, Any]:
    strips: list[Pictures] = []
    found = []
    for run in runs:
        same = (i for i, strip in enumerate(strips) if np.array_equal(strip, run.originals))
        place = next(same, len(strips))
        if place == len(strips):
            strips.append(run.originals)
        found.append(_run(run) | {"strip": place})
    return {"runs": found, "strips": [[_png_uri(image) for image in strip] for strip in strips]}


def _run(run: ExploredRun) -> dict[str, Any]:
    record = run.record
    data = "" if record.data in record.label else f" on {record.data}"
    return {
        "name": record.name,
        "about": f"{record.label}{data}, seed {record.seed}",
        "shape": list(run.image_shape),
        "link": run.link,
        "layers": [{"kind": layer.kind, **layer.facts} for layer in run.layers],
        "precision": run.precision,
        "weights": packed(run.layers, run.precision),
        "latents": _latents(run),
        "codes": np.round(run.codes.astype(float), 4).tolist(),
    }


def packed(layers: Sequence[PageLayer], precision: str) -> str:
    """All weights and biases in order, little-endian, as base64."""
    arrays = [array for layer in layers for array in (layer.weight, layer.bias)]
    flat = [array.ravel() for array in arrays if array is not None]
    weights = np.concatenate([*flat, np.zeros(0)]).astype(np.dtype(precision).newbyteorder("<"))
    return base64.b64encode(weights.tobytes()).decode()


def _latents(run: ExploredRun) -> list[dict[str, Any]]:
    """What stands beside each slider, by falling KL."""
    names = [printable(name) for name in run.factor_names]
    found = []
    for latent in np.argsort(-run.kl, kind="stable"):
        shares = run.shares[latent]
        order = [k for k in np.argsort(-shares, kind="stable")[:2] if shares[k] >= FEW]
        found.append(
            {
                "latent": int(latent),
                "kl": round(float(run.kl[latent]), 3),
                "active": bool(run.active[latent]),
                "reach": float(np.ceil(2 * max(REACH, run.reach[latent])) / 2),
                "tells": [[names[k], round(float(shares[k]), 2)] for k in order],
            }
        )
    return found


def _png_uri(image: UInt8[np.ndarray, "height width channels"]) -> str:
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
