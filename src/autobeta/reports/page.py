"""One self-contained HTML page from run folders: nothing to fetch."""

import html
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from autobeta.control import advice
from autobeta.errors import printable
from autobeta.reports import figures, pictures, tables
from autobeta.reports._formats import MarkedTable, to_html
from autobeta.reports._html import details, document, explorer_part, open_runs, picture, sentences
from autobeta.reports._load import RunRecord, curve, find_runs, load_runs, missing
from autobeta.reports._marks import Marks, row_marks
from autobeta.reports._style import svg_uri, webp_uri
from autobeta.run import folder
from autobeta.run.out import write_out

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
_BY_STEP = (
    "Disentanglement scores of the network as it was at each of these steps, the last ones those "
    "of the trained network: whether a lead was there early, and whether it lasts."
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
    "BCa bootstrap). Repeated: further runs, or copies, of seeds that a row above has."
)
_CONTROL = (
    "How well KL followed its set point after the first tenth of each run, as means between two "
    "lines of the log. Settling: steps after a rise of the set point until KL is within 0.25 nats."
)
_SCORES = "Disentanglement scores; ↑: higher is better, ↓: lower."
_MARKS = (
    "Bold: the best mean; underlined: the second best; ≈: not told apart from the best, paired by "
    "seed, at 5 % after Holm's adjustment; ?: not tested, fewer than two seeds in common with the "
    "best. Compared are groups on equally many images of the same data, where there is an arrow; "
    "a single seed takes no part."
)
_BEST = (
    "Bold: the best value where there is an arrow, on equally many images of the same data. Each "
    "row is a single run, so nothing is tested and a lead may be chance."
)
_OPEN = "These train, or were stopped before their end; the curves below show them so far."


def write_report(
    runs: Sequence[Path | str],
    out: Path | str,
    *,
    explorer: str = "",
    renew: float | None = None,
) -> Path:
    """Write one HTML page about some runs: figures, tables, images and all settings.

    The page needs no network and no other file; a short script in it sorts tables, moves sliders
    and saves figures, and it can be read without. The same folders give the same bytes. What a run
    lacks (it has not finished, it was not evaluated) is named on the page. A path that holds no
    run and a damaged file are left out, and named there and in a warning. A former file `out` is
    replaced, a link or a device is written through.

    Args:
        runs: The run folders.
        out: The HTML file to write.
        explorer: Address of an explorer to link to, or an explorer's whole page to show inside.
        renew: Seconds after which an open page loads itself again.

    Raises:
        ValueError: If `out` is a folder, or no run is given or none can be read.
        FileNotFoundError: If there is nothing at a path, or no run at any.
    """
    folders, out = [*map(Path, runs)], Path(out)
    if out.is_dir():
        raise ValueError(f"`out` must be a file; got the folder `{out}`. Add a name.html to it.")
    found, left_out = find_runs(folders)
    if not found:
        load_runs(folders)  # which says why
    for path, error in left_out.items():
        name = printable(str(path))
        warnings.warn(f"{name} is left out, it is no run folder: {error}", stacklevel=2)
    title = f"Report on {len(found)} runs" if len(found) > 1 else f"Report on {found[0].name}"
    body = "".join(_body(found, left_out, explorer))
    page = document(title, body, inside=explorer, renew=renew).encode()
    write_out(out, lambda file: file.write(page))
    return out


def _body(
    runs: Sequence[RunRecord], left_out: dict[Path, Exception], explorer: str
) -> Iterator[str]:
    methods = ", ".join(sorted({run.method for run in runs}))
    data = ", ".join(sorted({run.data for run in runs}))
    yield f"<p>{html.escape(f'Methods: {methods}. Data: {data}.')}</p>\n"
    if going_on := open_runs(_how_far(run) for run in runs if not run.finished):
        yield f"<h2>Not finished</h2>\n<p>{_OPEN}</p>\n{going_on}"
    gaps = [(r.name, gap) for r in runs for gap in (missing(r) if r.finished else r.damage)]
    gaps += [(printable(path.name), f"Left out: {error}") for path, error in left_out.items()]
    if gaps:
        yield f'<div class="missing">What is missing:{sentences(gaps)}</div>\n'
    yield "<h2>Training and trade-off</h2>\n"
    yield f'<div class="figures">\n{"".join(_comparison(runs))}</div>\n'
    yield f"<h2>Numbers</h2>\n{''.join(_numbers(runs))}"
    if explorer:
        yield explorer_part(explorer)
    yield "<h2>Run by run</h2>\n"
    for run in runs:
        yield from _section(run, runs)
    yield "<footer>Written by autobeta from the files of the run folders.</footer>\n"


def _how_far(run: RunRecord) -> tuple[str, int, int, str]:
    """Name, step, steps and the last numbers of a run that is not finished."""
    last = run.log[-1] if run.log else {}
    kl, beta = figures.kl_of(last), last.get("beta")
    numbers = [] if kl is None else [f"KL {kl:.2f} nats"]
    numbers += [] if beta is None else [f"β {beta:.3g}"]
    said = ", ".join(numbers) if run.log else "nothing is logged yet"
    return run.name, last.get("step", 0), run.steps or 0, f": {said}"


def _comparison(runs: Sequence[RunRecord]) -> Iterator[str]:
    methods = ", ".join(sorted({run.method for run in runs}))
    of = f"of {len(runs)} runs: {methods}" if len(runs) > 1 else f"of {runs[0].name}"
    if any(run.log for run in runs):
        drawn = figures.kl_over_steps(runs, width=_WIDTH)
        said = f"Curves {of}; nats by step"
        yield picture(svg_uri(drawn), "KL over training", _KL, said, name="kl")
    if any(len(curve(run, lambda row: row.get("beta"))[0]) for run in runs):
        drawn = figures.beta_over_steps(runs, width=_WIDTH)
        said = f"Weights {of}; by step"
        yield picture(svg_uri(drawn), "β over training", _BETA, said, name="beta")
    if any(tables.score_curves(run) for run in runs):
        drawn = figures.scores_over_steps(runs, width=_WIDTH)
        said = f"Scores {of}; by step"
        yield picture(
            svg_uri(drawn), "Scores over training", _BY_STEP, said, name="scores-by-step"
        )
    for distortion in ("mse", "bce"):
        if any(figures.has_distortion(run, distortion) for run in runs):
            drawn = figures.rate_distortion(runs, distortion=distortion, width=_WIDTH)
            title = f"Rate and distortion ({distortion.upper()})"
            said, name = f"Points {of}; distortion by KL", f"rate-{distortion}"
            yield picture(svg_uri(drawn), title, _RATE, said, name=name)


def _numbers(runs: Sequence[RunRecord]) -> Iterator[str]:
    names = {name for run in runs for name in tables.scores(run)}
    groups, seeds = tables.seed_groups(runs), tables.seed_rows(runs)
    several, rows = len(groups) < len(runs), tables.run_rows(runs)
    one_data_set = {"data"} if len({run.data for run in runs}) == 1 else set()
    marks = row_marks(groups)
    single = [] if several else row_marks([[run] for run in runs])
    how = f"{_SEEDS} {_MARKS}" if several else _BEST
    yield f'<p class="how">{html.escape(how)}</p>\n'
    every_run = to_html(_losses(rows, names | one_data_set, single), name="runs")
    if several:
        yield to_html(_losses(seeds, names | {"data"}, marks), name="losses")
        every_run = f"<details><summary>Every run</summary>{every_run}</details>\n"
    if names:
        keys = names | {"label", "seeds", "points"}
        scored = [n for n, row in enumerate(seeds) if any(row.get(k) is not None for k in names)]
        kept = [{key: v for key, v in seeds[n].items() if key in keys} for n in scored]
        by_method = tables.table(kept, [marks[n] for n in scored], _SCORES)
        few = len(kept) <= len(names)
        shown = tables.transposed(by_method, "score") if few else by_method
        yield to_html(shown, name="scores")
    yield every_run
    if tracks := [(run, found) for run in runs if (found := tables.tracked(run)) is not None]:
        followed = tables.table(tables.control_rows(tracks), caption=_CONTROL)
        yield to_html(followed, name="set-points")
        yield sentences(
            (run.name, sentence)
            for run, found in tracks
            for sentence in advice(found, **run.bounds)
        )


def _losses(rows: Sequence[tables.Row], left_out: set[str], marks: Sequence[Marks]) -> MarkedTable:
    kept = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    return tables.beside(tables.table(kept, marks, _LOSSES))


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
        name = f"{run.name} latents"
        yield picture(svg_uri(drawn), "KL of each latent", _LATENT, said, name=name)
    if run.arrays(folder.RECONSTRUCTIONS):
        uri, name = webp_uri(pictures.reconstructions(run)), f"{run.name} reconstructions"
        said = f"Pairs of images of {run.name}"
        yield picture(uri, "Reconstructions", _RECONSTRUCTIONS, said, name=name)
    if arrays:
        yield traversal_picture(run, "Traversals", _TRAVERSALS)
    if len(arrays.get("samples", ())):
        uri, name = webp_uri(pictures.samples(run)), f"{run.name} samples"
        said = f"Images that {run.name} made up"
        yield picture(uri, "Prior samples", _SAMPLES, said, name=name)


def traversal_picture(run: RunRecord, title: str, text: str) -> str:
    """The traversals of a run, with sliders."""
    said, name = f"Images of {run.name}, a row per latent", f"{run.name} traversals"
    drawn = pictures.traversals(run)
    strip = pictures.strip(run, drawn.width)
    return picture(webp_uri(drawn), title, text, said, name=name, strip=strip)
