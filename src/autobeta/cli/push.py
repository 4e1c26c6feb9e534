"""A run to the Hugging Face Hub."""

from pathlib import Path

import tyro


def command(
    run: tyro.conf.Positional[Path],
    repo: tyro.conf.Positional[str],
    *,
    private: bool = False,
    license: str | None = None,
    intervals: bool = True,
) -> None:
    """Push a finished run to the Hugging Face Hub, with a model card made from it.

    Args:
        run: Run folder.
        repo: OWNER/NAME; it is created if it is not there.
        private: Close a repository that is created to others.
        license: Licence of the weights, as the Hub calls it, such as apache-2.0.
        intervals: Find 95 % intervals of the scores for the card, in 20 times their time.
    """
    from autobeta.run.push import push

    print(push(run, repo, private=private, license=license, intervals=intervals))
    print(f'Load it by load_run("hf://{repo}").')
