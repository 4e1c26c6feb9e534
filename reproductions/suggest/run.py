"""Runs at the set points that `autobeta suggest` proposed, and a sweep to judge them by.

`python -m reproductions.suggest.run --runs DIR`

The sweep is DynamicVAE with its defaults but for the set point.
"""

from reproductions.launch import launch

DATA = ("dsprites", "scenes3d")
TARGETS = (10.0, 15.0, 20.0, 25.0)  # nats
SEEDS = range(2)
# what the pilots proposed (RUNS/pilot-DATA, see README.md); `analyse.py` checks that it is theirs
PROPOSED = {
    "dsprites": {
        "target_start": 1.25,
        "target": 25.0,
        "rising": 0.3,
        "beta_initial": 120.0,
        "beta_hold": 0.29,
        "beta_min": 0.12,
    },
    "scenes3d": {
        "target_start": 0.95,
        "target": 19.0,
        "rising": 0.3,
        "beta_initial": 93.0,
        "beta_hold": 0.29,
        "beta_min": 0.11,
    },
}
# the first rules, which let the set point wait too early and rise too slowly
FIRST = {**PROPOSED["dsprites"], "rising": 0.5, "beta_hold": 0.52, "beta_min": 0.21}
COMMON = (
    "--steps 6000 --batch-size 32 --architecture burgess --precision bfloat16 --threads 1 "
    "--log-every 20 --metrics mig"
)


def run(data: str, seed: int, **settings: float) -> str:
    """Arguments of one run."""
    method = " ".join(f"--method.{name.replace('_', '-')} {v}" for name, v in settings.items())
    return f"dynamicvae --data {data} {method} --seed {seed} {COMMON}"


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`."""
    runs = {
        f"{data}-proposed-s{seed}": run(data, seed, **PROPOSED[data])
        for data in DATA
        for seed in SEEDS
    }
    for seed in SEEDS:
        runs[f"dsprites-first-s{seed}"] = run("dsprites", seed, **FIRST)
    for data in DATA:
        for target in TARGETS:
            for seed in SEEDS:
                runs[f"{data}-{target:g}-s{seed}"] = run(data, seed, target=target)
    return runs


if __name__ == "__main__":
    raise SystemExit(launch(plan(), __doc__))
