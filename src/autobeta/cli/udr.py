"""Rank runs by their agreement, without factors."""

import json as jsonlib
from pathlib import Path

import tyro

from autobeta.cli._print import print_scores


def command(
    runs: tyro.conf.Positional[tuple[Path, ...]], *, spearman: bool = False, json: bool = False
) -> None:
    """Rank runs by how much their latents agree with those of the others, without factors.

    Args:
        runs: Run folders of one data set and evaluation sample, alike but for the seed at least.
        spearman: Rank correlation of pairs of latents instead of lasso.
        json: Print JSON instead of a table.
    """
    from autobeta.run.rank import rank_runs

    named = rank_runs(runs, spearman=spearman)
    if json:
        print(jsonlib.dumps(named, indent=2))
    else:
        print_scores(named, {})
