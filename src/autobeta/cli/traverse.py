"""Pictures of traversals and samples."""

from pathlib import Path

import tyro


def command(
    run: tyro.conf.Positional[Path],
    *,
    image: tuple[Path, ...] = (),
    out: Path | None = None,
    num_values: int = 11,
    span: float = 2.0,
    data: str | None = None,
) -> None:
    """Draw latent traversals as PNG and GIF, and samples from the prior.

    Args:
        run: Run folder.
        image: Images whose codes the traversals start from; the prior's mean if not given.
        out: Folder for the pictures; RUN/pictures if not given.
        num_values: Values per latent.
        span: Range of each latent, in the prior's standard deviations to both sides.
        data: Where the images of a run that was not evaluated lie now.
    """
    from autobeta.run.load import load_run
    from autobeta.run.traverse import draw_traversals

    loaded = load_run(run)
    folder = out or loaded.folder / "pictures"
    there = {*folder.iterdir()} if folder.is_dir() else set()
    for path in draw_traversals(
        loaded, folder, images=image, num_values=num_values, span=span, data=data
    ):
        print(f"{path}; the file that was there is replaced" if path in there else path)
