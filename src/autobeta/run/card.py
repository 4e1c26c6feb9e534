"""The model card of a run: what a stranger needs to use it, as the README.md of a repository."""

from collections.abc import Mapping
from typing import Any

from autobeta import registry
from autobeta.run.load import Run
from autobeta.run.parts import DECODER_OUTPUTS, decoder_output, public_name

PICTURE = "traversals.png"

Ends = Mapping[str, Any]


def model_card(
    run: Run,
    repo: str,
    metrics: Mapping[str, Any],
    *,
    ends: Ends | None = None,
    license: str | None = None,
    picture: bool = False,
) -> str:
    """The card as Markdown, with the facts on top that the Hub reads.

    Args:
        run: The run.
        repo: Where it goes, OWNER/NAME.
        metrics: What its `metrics.json` holds; empty if it was not evaluated.
        ends: Ends of the scores' 95 % intervals by name, as `metrics.intervals` gives them.
        license: Identifier of the licence of the weights; none is stated if not given.
        picture: Whether `PICTURE` lies beside it.
    """
    parts = [
        _front(run, license),
        f"# {repo.partition('/')[2]}\n\n{_summary(run)}",
        _usage(run, repo),
        _data(run),
        _scores(metrics, ends or {}),
        f"## Traversals\n\n![A row for each latent, by falling KL]({PICTURE})" if picture else "",
        _settings(run),
        _licence(run, license),
        _citation(run),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(run: Run, license: str | None) -> str:
    tags = [*dict.fromkeys(("autobeta", "vae", "disentanglement", run.config.method))]
    lines = ["---", "library_name: autobeta", *([f"license: {license}"] if license else [])]
    return "\n".join([*lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _summary(run: Run) -> str:
    config, (height, width, channels) = run.config, run.image_shape
    images = f"{height} × {width} {'grey' if channels == 1 else 'RGB'} images"
    return (
        f"A variational autoencoder of {config.model.num_latents} latents for {images} of "
        f"`{_text(public_name(config.data))}`, trained by the method `{config.method}` for "
        f"{run.step:,} steps with autobeta."
    )


def _usage(run: Run, repo: str) -> str:
    height, width, channels = run.image_shape
    objects = [k for k in ("network", "likelihood", "recipe") if getattr(run.objects, k)]
    given = "".join(f", {name}=..." for name in objects)
    note = "\n\nWhat stands for `...` is code, which is not in this repository." if objects else ""
    return (
        f'## Use\n\n```python\nfrom autobeta import load_run\n\nrun = load_run("hf://{repo}"'
        f"{given})\nposterior = run.model.encode(x)  # .mean and .logvar\n"
        "images = run.model.decode(posterior.mean)  # in [0, 1]\n```\n\n"
        f"`x` is float32 of shape (batch, {channels}, {height}, {width}), channels first, bytes / "
        f"255. The decoder gives the {DECODER_OUTPUTS[decoder_output(run.model.likelihood)]}; the "
        f"likelihood is {type(run.model.likelihood).__name__}. Only JSON and safetensors are "
        f"loaded.{note}"
    )


def _data(run: Run) -> str:
    facts = _facts("data", run.config.data)
    name = _text(public_name(run.config.data))
    source = f" {facts['SOURCE']}" if facts.get("SOURCE") else " Images of the author's own."
    return f"## Data\n\n`{name}`.{source}"


def _scores(metrics: Mapping[str, Any], ends: Ends) -> str:
    if not metrics:
        return "## Scores\n\nThe run was not evaluated."
    lines = [f"## Scores\n\nOf {metrics.get('num_points', 0):,} images of the training.\n"]
    lines += ["| | value |" + " 95 % interval |" * bool(ends), "|---|---|" + "---|" * bool(ends)]
    for split, losses in (metrics.get("evaluation") or {}).items():
        for name, value in losses.items():
            lines.append(f"| {name}, {split} | {value:.4g} |" + " |" * bool(ends))
    for name, score in (metrics.get("metrics") or {}).items():
        for part, value in score.items() if isinstance(score, dict) else [("", score)]:
            row = f"| {name}{' ' * bool(part)}{part} | {value:.4f} |"
            lines.append(row + _interval(ends.get(name), part) * bool(ends))
    return "\n".join(lines)


def _interval(found: Any, part: str) -> str:  # noqa: ANN401 - a pair of ends, or one a part
    if found is None:
        return " |"
    low, high = found[part] if part else found
    return f" {low:.4f} to {high:.4f} |"


def _settings(run: Run) -> str:
    stored = run.config.to_json()
    flat = {
        f"{group}.{name}".replace("method_config.", "method."): value
        for group in ("method_config", "model", "train")
        for name, value in stored[group].items()
    }
    rows = [f"| `{name}` | {_text(str(value))} |" for name, value in flat.items()]
    return "\n".join(["## Settings\n\n| setting | value |\n|---|---|", *rows])


def _licence(run: Run, license: str | None) -> str:
    images = _facts("data", run.config.data).get("LICENSE")
    weights = f"Of the weights: {license}." if license else "None is stated for the weights."
    return f"## Licence\n\n{weights}" + (f" Of the images: {images}." if images else "")


def _citation(run: Run) -> str:
    named = {"methods": run.config.method, "data": run.config.data}
    found = [_facts(folder, name).get("CITATION") for folder, name in named.items()]
    entries = [str(entry).strip() for entry in found if entry]
    return "## Citation\n\n```bibtex\n" + "\n\n".join(entries) + "\n```" if entries else ""


def _facts(folder: str, name: str) -> dict[str, object]:
    return registry.describe(folder, name) if name in registry.available(folder) else {}


def _text(value: str) -> str:
    """A text that stays on its line, and in its cell."""
    return " ".join(value.replace("|", "/").replace("`", "'").split())
