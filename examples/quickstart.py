"""Train three methods on dSprites, evaluate them, write report and explorer: `make quickstart`.

Started again it goes on where it was stopped, and does nothing twice. The last line printed is
the path of the report.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autobeta import EvaluationConfig, RunConfig, TrainConfig, train
from autobeta.data import prepare_data
from autobeta.errors import InterruptedRunError
from autobeta.reports import write_report
from autobeta.run.explore import explore
from autobeta.training.callbacks.progress import Progress

METHODS = ("vae", "dynamicvae", "lvae")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="dsprites", help="data set, or your own images")
    parser.add_argument("--steps", type=int, default=1000, help="updates of each method")
    parser.add_argument("--num-points", type=int, default=10_000, help="images of the evaluation")
    parser.add_argument("--out", type=Path, default=Path("quickstart"), help="folder of the runs")
    options = parser.parse_args(arguments)

    prepare_data(options.data)
    evaluation = EvaluationConfig(num_points=options.num_points)
    # about 150 lines of the log each, enough for smooth curves
    settings = TrainConfig(steps=options.steps, log_every=max(1, options.steps // 150))
    folders = [
        options.out / f"{method}-{Path(options.data).stem}-{options.steps}" for method in METHODS
    ]
    for method, folder in zip(METHODS, folders, strict=True):
        config = RunConfig(method=method, data=options.data, train=settings)
        print(f"{method}: {options.steps} steps on {options.data}, in {folder}", flush=True)
        try:
            train(config, folder, evaluation=evaluation, callbacks=[Progress()])
        except InterruptedRunError as stop:
            print(f"{method} stopped at step {stop.step}. Start again to go on.", file=sys.stderr)
            return 128 + stop.signal_number
    page = explore(folders, options.out / "explorer.html")
    print(write_report(folders, options.out / "report.html", explorer=page.name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
