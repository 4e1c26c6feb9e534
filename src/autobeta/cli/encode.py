"""Codes of images under a run."""

from pathlib import Path

import tyro


def command(
    run: tyro.conf.Positional[Path],
    *,
    data: str,
    out: Path,
    num_points: int | None = None,
    skip_broken: bool = False,
    device: str | None = None,
) -> None:
    """Write codes and log-variances of images, and factors, names and split where there are any.

    Args:
        run: Run folder.
        data: Name of a data set, a folder of images, or a file of arrays; scaled and made grey or
            RGB as the run's own.
        out: The .npz file to write.
        num_points: Size of a seeded sample; all images if not given.
        skip_broken: Leave out images that can't be read; they are named in a warning.
        device: auto, cpu, cuda, cuda:N or mps; the run's own if not given.
    """
    from autobeta.run.encode import check_out, dataset_for, encode, write_codes
    from autobeta.run.load import load_run

    check_out(out)
    loaded = load_run(run, device=device)
    dataset = dataset_for(loaded, data, skip_broken=skip_broken)
    found = encode(loaded, dataset, num_points=num_points)
    write_codes(out, found, dataset)
    print(f"{out}: {len(found.codes)} codes of {found.codes.shape[1]} latents, {loaded.progress}")
