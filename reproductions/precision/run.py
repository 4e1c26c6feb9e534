"""bfloat16 against float32: the same runs in both precisions.

`python -m reproductions.precision.run --runs DIR`

Three methods, two data sets, three seeds; README.md states the margin.
"""

from itertools import product

from reproductions.launch import launch

METHODS = ("vae", "dynamicvae", "lvae")
DATA = {"dsprites": "bernoulli", "scenes3d": "gaussian"}
SEEDS = range(3)
PRECISIONS = ("float32", "bfloat16")
COMMON = (
    "--steps 2000 --architecture burgess --threads 1 --log-every 20 "
    "--metrics mig dci[lightgbm] factorvae sap"
)


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`."""
    return {
        f"{data}-{method}-{precision}-s{seed}": (
            f"{method} --data {data} --likelihood {DATA[data]} --seed {seed} "
            f"--precision {precision} {COMMON}"
        )
        for seed, data, method, precision in product(SEEDS, DATA, METHODS, PRECISIONS)
    }


if __name__ == "__main__":
    raise SystemExit(launch(plan(), __doc__))
