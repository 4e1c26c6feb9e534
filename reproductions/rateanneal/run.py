"""Rate annealing against DynamicVAE and L-VAE.

`python -m reproductions.rateanneal.run --runs DIR`

Every method with its defaults, the same network, batches and budget, three seeds.
"""

from reproductions.launch import launch

METHODS = ("rateanneal", "dynamicvae", "lvae")
SEEDS = range(3)
COMMON = (
    "--data dsprites --steps 20000 --architecture burgess --precision bfloat16 --threads 1 "
    "--log-every 20 --metrics mig dci[lightgbm] factorvae"
)


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`."""
    return {f"{m}-s{seed}": f"{m} --seed {seed} {COMMON}" for m in METHODS for seed in SEEDS}


if __name__ == "__main__":
    raise SystemExit(launch(plan(), __doc__))
