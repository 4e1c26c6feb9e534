"""Rank runs that differ by their seed, without any factors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autobeta.metrics import udr, udr_spearman
from autobeta.run import folder as files


def rank_runs(folders: Sequence[Path], *, spearman: bool = False) -> dict[str, float]:
    """UDR by folder of runs that differ by their seed, the best first; without any factors.

    Args:
        folders: Run folders, evaluated on the same images; at least two.
        spearman: Whether latents are compared by rank correlation, not by a lasso.

    Raises:
        ValueError: If they were not evaluated on the same images of the same data.
    """
    from autobeta.reports import check_same_data

    folders = list(dict.fromkeys(Path(folder) for folder in folders))
    if len(folders) < 2:
        raise ValueError(f"`runs` must be at least two run folders; got {len(folders)}.")
    check_same_data({str(folder): files.read_config(folder) for folder in folders})
    parts = [files.read_representation(folder) for folder in folders]
    for folder, part in zip(folders, parts, strict=True):
        if not np.array_equal(part["index"], parts[0]["index"]):
            raise ValueError(
                f"`runs` must be evaluated on the same images; {folder} and {folders[0]} differ. "
                "Evaluate them with the same --num-points and data; --held-out takes other images "
                "for each seed."
            )
    rank = udr_spearman if spearman else udr
    scores = rank([(part["codes"], part["logvars"]) for part in parts])
    named = dict(zip(map(str, folders), scores.tolist(), strict=True))
    return dict(sorted(named.items(), key=lambda item: -item[1]))
