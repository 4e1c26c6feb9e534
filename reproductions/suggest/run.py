"""A sweep of set points to judge `autobeta suggest`.

`python -m reproductions.suggest.run --runs DIR`

DynamicVAE with its defaults but for the set point.
"""

from reproductions.launch import launch

DATA = ("dsprites", "scenes3d")
TARGETS = (10.0, 15.0, 20.0, 25.0)  # nats
SEEDS = range(2)
COMMON = (
    "--steps 6000 --architecture burgess --precision bfloat16 --threads 1 --log-every 20 "
    "--metrics mig"
)


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`."""
    return {
        f"{data}-{target:g}-s{seed}": f"dynamicvae --data {data} --method.target {target} "
        f"--seed {seed} {COMMON}"
        for data in DATA
        for target in TARGETS
        for seed in SEEDS
    }


if __name__ == "__main__":
    raise SystemExit(launch(plan(), __doc__))
