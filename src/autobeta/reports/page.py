"""One self-contained HTML page from run folders: nothing to fetch, nothing to execute."""

import html
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from autobeta.control import advice
from autobeta.reports import figures, pictures, tables
from autobeta.reports._load import RunRecord, curve, find_runs, load_runs, missing
from autobeta.reports._read import flatten, grouped, printable
from autobeta.reports._style import svg_uri, webp_uri
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
    "what this latent stands for; the rows are sorted by KL, dead latents are pale. Below stands "
    "the value that the latent is given, in standard deviations of the prior."
)
_SAMPLES = "Images decoded from random codes: what the model makes up on its own."
_LOSSES = (
    "Losses of the trained model on a sample of the data; a blank is a value the run lacks. "
    "After a slash stands the held-out split. ↓: lower is better, ↑: higher. "
    "Nats of different likelihoods do not compare; MSE, PSNR and BCE of the mean image do."
)
_SEEDS = (
    "Mean ± standard deviation over n runs that differ only by seed and were evaluated on equally "
    "many images; in brackets the 95 % interval of the mean (Student's t below 8 seeds, else the "
    "BCa bootstrap)."
)
_CONTROL = (
    "How well KL followed its set point after the first tenth of each run, as means between two "
    "lines of the log. Settling: steps after a rise of the set point until KL is within 0.25 nats."
)
_SCORES = f"Disentanglement scores; ↑: higher is better, ↓: lower. {_SEEDS}"


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Write one HTML page about some runs: figures, tables, images and all settings.

    The page needs no network, no script and no other file. The same folders give the same bytes.
    What a run lacks (it has not finished, it was not evaluated) is named on the page. A path that
    holds no run and a damaged file are left out, and named there and in a warning. A former file
    `out` is replaced, a link or a device is written through; a folder is a ValueError, as are no
    run, and none that can be read. Nothing at a path, or no run at any, is a FileNotFoundError.
    """
    if out.is_dir():
        raise ValueError(f"`out` must be a file; got the folder `{out}`. Add a name.html to it.")
    found, left_out = find_runs(runs)
    if not found:
        load_runs(runs)  # which says why
    for path, error in left_out.items():
        name = printable(str(path))
        warnings.warn(f"{name} is left out, it is no run folder: {error}", stacklevel=2)
    page = "".join(_page(found, left_out)).encode()
    folder.write_out(out, lambda file: file.write(page))
    return out


def _page(runs: Sequence[RunRecord], left_out: dict[Path, Exception]) -> Iterator[str]:
    title = f"Report on {len(runs)} runs" if len(runs) > 1 else f"Report on {runs[0].name}"
    yield head(title)
    methods = ", ".join(sorted({run.method for run in runs}))
    data = ", ".join(sorted({run.data for run in runs}))
    yield f"<p>{html.escape(f'Methods: {methods}. Data: {data}.')}</p>\n"
    no_runs = [(printable(path.name), f"Left out: {error}") for path, error in left_out.items()]
    if gaps := sentences([(run.name, gap) for run in runs for gap in missing(run)] + no_runs):
        yield f'<div class="missing">What is missing:{gaps}</div>\n'
    yield "<h2>Training and trade-off</h2>\n"
    yield f'<div class="figures">\n{"".join(_comparison(runs))}</div>\n'
    yield f"<h2>Numbers</h2>\n{''.join(_numbers(runs))}"
    yield "<h2>Run by run</h2>\n"
    for run in runs:
        yield from _section(run, runs)
    yield "<footer>Written by autobeta from the files of the run folders.</footer>\n"
    yield "</body>\n</html>\n"


def head(title: str) -> str:
    """The page down to its title."""
    css = Path(__file__).with_name("style.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n"
    )


def _comparison(runs: Sequence[RunRecord]) -> Iterator[str]:
    methods = ", ".join(sorted({run.method for run in runs}))
    of = f"of {len(runs)} runs: {methods}" if len(runs) > 1 else f"of {runs[0].name}"
    if any(run.log for run in runs):
        drawn = figures.kl_over_steps(runs, width=_WIDTH)
        yield picture(svg_uri(drawn), "KL over training", _KL, f"Curves {of}; nats by step")
    if any(len(curve(run, lambda row: row.get("beta"))[0]) for run in runs):
        drawn = figures.beta_over_steps(runs, width=_WIDTH)
        yield picture(svg_uri(drawn), "β over training", _BETA, f"Weights {of}; by step")
    for distortion in ("mse", "bce"):
        if any(figures.has_distortion(run, distortion) for run in runs):
            drawn = figures.rate_distortion(runs, distortion=distortion, width=_WIDTH)
            title = f"Rate and distortion ({distortion.upper()})"
            yield picture(svg_uri(drawn), title, _RATE, f"Points {of}; distortion by KL")


def _numbers(runs: Sequence[RunRecord]) -> Iterator[str]:
    names = {name for run in runs for name in tables.scores(run)}
    rows, seeds = tables.run_rows(runs), tables.seed_rows(runs)
    one_data_set = {"data"} if len({run.data for run in runs}) == 1 else set()
    every_run = _table(_losses(rows, names | one_data_set), _LOSSES)
    if len(seeds) < len(rows):
        yield _table(_losses(seeds, names | {"data"}), f"{_LOSSES} {_SEEDS}")
        every_run = f"<details><summary>Every run</summary>{every_run}</details>\n"
    if names:
        keys = names | {"label", "seeds", "points"}
        scored = [row for row in seeds if any(row.get(name) is not None for name in names)]
        kept = [{key: value for key, value in row.items() if key in keys} for row in scored]
        by_method = tables.table(kept)
        few = len(kept) <= len(names)
        yield _table(tables.transposed(by_method, "score") if few else by_method, _SCORES)
    yield every_run
    if tracks := [(run, found) for run in runs if (found := tables.tracked(run)) is not None]:
        yield _table(tables.table(tables.control_rows(tracks)), _CONTROL)
        yield sentences(
            (run.name, sentence)
            for run, found in tracks
            for sentence in advice(found, **run.bounds)
        )


def _losses(rows: Sequence[tables.Row], left_out: set[str]) -> tables.Table:
    kept = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    return tables.beside(tables.table(kept))


def _section(run: RunRecord, runs: Sequence[RunRecord]) -> Iterator[str]:
    yield f"<h3>{html.escape(run.name)}</h3>\n"
    if run.label != run.name:
        yield f"<p>{html.escape(run.label)}, seed {run.seed}</p>\n"
    yield f'<div class="figures">\n{"".join(_images(run, runs))}</div>\n'
    yield details("All settings", run.config)
    if run.environment:
        yield details("Versions and environment", run.environment)


def _images(run: RunRecord, runs: Sequence[RunRecord]) -> Iterator[str]:
    kl, arrays = figures.kl_per_latent(run), run.arrays(folder.TRAVERSALS)
    if kl is not None:
        drawn = figures.latent_kl([run], among=runs, width=_WIDTH)
        said = f"Bars of {run.name}: {len(kl)} latents, {len(figures.dead_latents(run))} dead"
        yield picture(svg_uri(drawn), "KL of each latent", _LATENT, said)
    if run.arrays(folder.RECONSTRUCTIONS):
        uri = webp_uri(pictures.reconstructions(run))
        yield picture(uri, "Reconstructions", _RECONSTRUCTIONS, f"Pairs of images of {run.name}")
    if arrays:
        uri = webp_uri(pictures.traversals(run))
        yield picture(uri, "Traversals", _TRAVERSALS, f"Images of {run.name}, a row per latent")
    if len(arrays.get("samples", ())):
        uri = webp_uri(pictures.samples(run))
        yield picture(uri, "Prior samples", _SAMPLES, f"Images that {run.name} made up")


def picture(uri: str, title: str, text: str, said: str, more: str = "") -> str:
    """A picture with its caption, and what it shows for those who can't see it."""
    caption = f"<figcaption><b>{html.escape(title)}.</b> {html.escape(text)}{more}</figcaption>"
    return f'<figure><img src="{uri}" alt="{html.escape(said)}">{caption}</figure>\n'


def _table(table: tables.Table, caption: str) -> str:
    return f'<div class="wide">{tables.to_html(table, caption=caption)}</div>\n'


def sentences(said: Iterable[tuple[str, str]]) -> str:
    """A list of sentences about runs, by name; runs of which the same is said share an item."""
    about = grouped((sentence, name) for name, sentence in said)
    joined = grouped((", ".join(names), sentence) for sentence, names in about.items())
    items = (f"<li><b>{_text(n)}</b>: {_text(' '.join(s))}</li>" for n, s in joined.items())
    return f"<ul>{''.join(items)}</ul>\n" if joined else ""


def _text(text: str) -> str:
    """A text as HTML; what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def details(title: str, settings: dict[str, Any]) -> str:
    """All settings; of a path only the last name, since the page may go elsewhere."""
    items = ""
    for key, value in flatten(settings).items():
        shown = PurePath(value).name if value.startswith("/") else value
        items += f"<dt>{html.escape(printable(key))}</dt><dd>{html.escape(printable(shown))}</dd>"
    return f"<details><summary>{title}</summary><dl>{items}</dl></details>\n"
