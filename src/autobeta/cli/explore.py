"""A page with sliders, in which trained models decode."""

from pathlib import Path

import tyro


def command(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    *,
    out: Path,
    data: str | None = None,
) -> None:
    """Write one self-contained HTML page in which the decoders of runs answer to sliders.

    Args:
        runs: Run folders, shown side by side.
        out: The HTML file to write.
        data: Name or place of the images that the runs were trained on, to offer more of them
            than an evaluation kept; a run that was not evaluated opens its own if not given.
    """
    from autobeta.run.explore import explore

    written = explore(runs, out, data=data)
    if out.is_file():  # not a device, which the page itself went to
        print(written)
