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
        runs: Run folders, shown side by side; of several, those that can't be shown are left out
            with a warning.
        out: The HTML file to write.
        data: Name or place of the images that the runs were trained on, to offer more of them
            than an evaluation kept; a run that was not evaluated opens its own if not given.
    """
    from autobeta.reports.explorer import write_explorer
    from autobeta.run.explore import explored_runs

    found = explored_runs(runs, data=data, skip=len(runs) > 1)
    if runs and not found:
        raise ValueError(
            f"`runs` must have one that a page can show; got none among {len(runs)}. The warnings "
            "say why."
        )
    written = write_explorer(found, out)
    if out.is_file():  # not a device, which the page itself went to
        print(written)
