"""One self-contained HTML page from run folders: nothing to fetch, nothing to execute."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from autobeta.control import Tracking, advice
from autobeta.reports import figures, pictures, tables
from autobeta.reports._load import Run, curve, flatten, load_runs, missing
from autobeta.reports._style import png_uri, svg_uri
from autobeta.run import folder

_WIDTH = 4.6  # inches: type stays readable when a telephone shrinks the figure

_KL = (
    "The information, in nats, that the code carries about an image while the model trains. "
    "The dashed line is the target where the method steers towards one: "
    "a controller that works brings the curve onto it."
)
_BETA = (
    "How strongly the loss pulls on the KL compared with the reconstruction, whatever the method. "
    "A line that moves is a weight that sets itself. The equivalent β, where it differs, is that "
    "of a plain β-VAE that pulls in the same direction."
)
_RATE = (
    "Each point is one run: further left the code carries less, further down the images are "
    "closer to the originals. Left and below at once is better. The distortion is measured on the "
    "mean image in the same way for every method."
)
_LATENT = (
    "How many nats each latent carries, the most informative first. "
    "A dead latent does not react to the image."
)
_RECONSTRUCTIONS = "Images from the data, and below each what the model makes of its code."
_TRAVERSALS = (
    "Each row changes one latent from low to high and leaves the others as they are. It shows "
    "what this latent stands for; the rows are sorted by KL, dead latents are pale."
)
_SAMPLES = "Images decoded from random codes: what the model makes up on its own."
_LOSSES = (
    "Losses of the trained model on a sample of the data; a blank is a value the run lacks. "
    "After a slash stands the held-out part. "
    "Nats of different likelihoods do not compare; MSE, PSNR and BCE of the mean image do."
)
_SEEDS = "Mean ± standard deviation over runs that differ only by seed."
_CONTROL = (
    "How well KL followed its set point after the first tenth of each run, as means between two "
    "lines of the log. Settling: steps after a rise of the set point until KL is within 0.25 nats."
)
_SCORES = "Disentanglement scores, as mean ± standard deviation where there are several seeds."


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Write one HTML page about some runs: figures, tables, images and all settings.

    The page needs no network, no script and no other file. The same folders give the same bytes.
    What a run lacks (it has not finished, it was not evaluated) is named on the page.

    Args:
        runs: Run folders.
        out: File to write; a former one is replaced.

    Returns:
        The file written.

    Raises:
        ValueError: If no run is given, `out` is a folder, or a file cannot be read.
        FileNotFoundError: If a folder holds no run.
    """
    if out.is_dir():
        raise ValueError(f"`out` must be a file; got the folder `{out}`. Add a name.html to it.")
    page = "".join(_page(load_runs(runs))).encode()
    folder.write_atomic(out, lambda file: file.write(page))
    return out


def _page(runs: Sequence[Run]) -> Iterator[str]:
    title = f"Report on {len(runs)} runs" if len(runs) > 1 else f"Report on {runs[0].name}"
    css = Path(__file__).with_name("style.css").read_text("utf-8")
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{html.escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
    yield f"<h1>{html.escape(title)}</h1>\n{_overview(runs)}{_gaps(runs)}"
    yield "<h2>Training and trade-off</h2>\n"
    yield f'<div class="figures">\n{"".join(_comparison(runs))}</div>\n'
    yield f"<h2>Numbers</h2>\n{''.join(_numbers(runs))}"
    yield "<h2>Run by run</h2>\n"
    for run in runs:
        yield from _section(run, runs)
    yield "<footer>Written by autobeta from the files of the run folders.</footer>\n"
    yield "</body>\n</html>\n"


def _overview(runs: Sequence[Run]) -> str:
    methods = ", ".join(sorted({run.method for run in runs}))
    data = ", ".join(sorted({run.data for run in runs}))
    return f"<p>Methods: {html.escape(methods)}. Data: {html.escape(data)}.</p>\n"


def _gaps(runs: Sequence[Run]) -> str:
    items = [
        f"<li><b>{html.escape(run.name)}</b>: {html.escape(' '.join(gaps))}</li>"
        for run in runs
        if (gaps := missing(run))
    ]
    if not items:
        return ""
    return f'<div class="missing">What is missing:<ul>{"".join(items)}</ul></div>\n'


def _comparison(runs: Sequence[Run]) -> Iterator[str]:
    if any(run.log for run in runs):
        yield _svg(figures.kl_over_steps(runs, width=_WIDTH), "KL over training", _KL)
    if any(len(curve(run, lambda row: row.get("beta"))[0]) for run in runs):
        yield _svg(figures.beta_over_steps(runs, width=_WIDTH), "β over training", _BETA)
    for distortion in ("mse", "bce"):
        if any(figures.has_distortion(run, distortion) for run in runs):
            drawn = figures.rate_distortion(runs, distortion=distortion, width=_WIDTH)
            yield _svg(drawn, f"Rate and distortion ({distortion.upper()})", _RATE)


def _numbers(runs: Sequence[Run]) -> Iterator[str]:
    names = {name for run in runs for name in tables.scores(run)}
    rows, seeds = tables.run_rows(runs), tables.seed_rows(runs)
    one_data_set = {"data"} if len({run.data for run in runs}) == 1 else set()
    every_run = _table(_losses(rows, names | one_data_set), _LOSSES)
    if len(seeds) < len(rows):
        yield _table(_losses(seeds, names | {"data"}), f"{_LOSSES} {_SEEDS}")
        every_run = f"<details><summary>Every run</summary>{every_run}</details>\n"
    if names:
        keys = names | {"label", "seeds"}
        kept = [{key: value for key, value in row.items() if key in keys} for row in seeds]
        by_method = tables.table(kept)
        few = len(kept) <= len(names)
        yield _table(tables.transposed(by_method, "score") if few else by_method, _SCORES)
    yield every_run
    if tracks := [(run, found) for run in runs if (found := tables.tracked(run)) is not None]:
        yield _table(tables.table(tables.control_rows(tracks)), _CONTROL)
        yield _advice(tracks)


def _advice(tracks: Sequence[tuple[Run, Tracking]]) -> str:
    """What to try where a run tracked badly."""
    items = [
        f"<li><b>{html.escape(run.name)}</b>: {html.escape(sentence)}</li>"
        for run, found in tracks
        for sentence in advice(found, beta_min=tables.beta_min(run))
    ]
    return f"<ul>{''.join(items)}</ul>\n" if items else ""


def _losses(rows: Sequence[tables.Row], left_out: set[str]) -> tables.Table:
    kept = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    return tables.beside(tables.table(kept))


def _section(run: Run, runs: Sequence[Run]) -> Iterator[str]:
    name = html.escape(run.name)
    yield f"<h3>{name}</h3>\n"
    if run.label != run.name:
        yield f"<p>{html.escape(run.label)}, seed {html.escape(str(run.seed))}</p>\n"
    yield f'<div class="figures">\n{"".join(_images(run, runs))}</div>\n'
    yield _details("All settings", run.config)
    if run.environment:
        yield _details("Versions and environment", run.environment)


def _images(run: Run, runs: Sequence[Run]) -> Iterator[str]:
    if figures.kl_per_latent(run) is not None:
        drawn = figures.latent_kl([run], among=runs, width=_WIDTH)
        yield _svg(drawn, "KL of each latent", _LATENT)
    if run.arrays(folder.RECONSTRUCTIONS):
        drawn = pictures.reconstructions(run, width=_WIDTH)
        yield _png(drawn, "Reconstructions", _RECONSTRUCTIONS)
    arrays = run.arrays(folder.TRAVERSALS)
    if arrays:
        yield _png(pictures.traversals(run, width=_WIDTH), "Traversals", _TRAVERSALS)
    if len(arrays.get("samples", ())):
        yield _png(pictures.samples(run, width=_WIDTH), "Prior samples", _SAMPLES)


def _svg(figure: Figure, title: str, text: str) -> str:
    return _figure(svg_uri(figure), title, text)


def _png(figure: Figure, title: str, text: str) -> str:
    return _figure(png_uri(figure), title, text)


def _figure(uri: str, title: str, text: str) -> str:
    caption = f"<figcaption><b>{title}.</b> {text}</figcaption>"
    return f'<figure><img src="{uri}" alt="{title}">{caption}</figure>\n'


def _table(table: tables.Table, caption: str) -> str:
    return f'<div class="wide">{tables.to_html(table, caption=caption)}</div>\n'


def _details(title: str, settings: dict[str, Any]) -> str:
    items = "".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>"
        for key, value in flatten(settings).items()
    )
    return f"<details><summary>{title}</summary><dl>{items}</dl></details>\n"
