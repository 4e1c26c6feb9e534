"""The runs behind this folder's results.

`python -m reproductions.foundation.run --runs DIR`
"""

from reproductions.launch import launch

COMMON = "--data dsprites --architecture burgess --precision bfloat16 --threads 1 --log-every 20"
QUICK = "--metrics mig"
FULL = "--metrics mig sap factorvae dci[rf]"

# L-VAE: form, unit of the reconstruction
FORMS = {"A-nats": ("log", "nats"), "B-nats": ("log1p", "nats"), "B-pixel": ("log1p", "pixel")}
# how the weights start and how fast they learn
STARTS = {
    "plain": "--method.start ones --method.warmup 0 --method.kl-floor 0 --method.weight-lr 1e-2",
    "measured": "--method.start fixed_point --method.warmup 500 --method.kl-floor 1 "
    "--method.weight-lr 1e-3",
    "slow": "--method.start ones --method.warmup 0 --method.kl-floor 1 --method.weight-lr 5e-4",
}
# judged best at 6,000 steps (see results.json)
BEST_ARMS = ("A-nats-slow", "B-nats-slow")
METHODS = ("vae", "betavae", "controlvae", "dynamicvae", "sigmavae")


def lvae(arm: str, seed: int, steps: int, metrics: str) -> str:
    """Arguments of one L-VAE run."""
    form, start = arm.rsplit("-", 1)
    regulariser, unit = FORMS[form]
    method = f"--method.regulariser {regulariser} --method.unit {unit} {STARTS[start]}"
    return f"lvae --steps {steps} --seed {seed} {method} {metrics} {COMMON}"


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`, in the order of their use."""
    dynamic = f"dynamicvae --steps 20000 --seed 0 {FULL} {COMMON}"
    runs = {"dynamicvae-20k": dynamic}
    for seed in range(3):
        for start in STARTS:
            for form in FORMS:
                arm = f"{form}-{start}"
                runs[f"lvae-{arm}-s{seed}"] = lvae(arm, seed, 6000, QUICK)
    for method in METHODS:
        runs[f"{method}-10k"] = f"{method} --steps 10000 --seed 0 {FULL} {COMMON}"
    for arm in BEST_ARMS:
        runs[f"lvae-{arm}-20k"] = lvae(arm, 0, 20_000, FULL)
    runs["lvae-10k"] = lvae(BEST_ARMS[0], 0, 10_000, FULL)
    runs["vae-3k-float32"] = f"vae --steps 3000 --seed 0 {QUICK} {COMMON} --precision float32"
    # schedules without a hold, and the published controller, for comparison
    no_hold = f"{dynamic} --method.beta-hold 0"
    runs["dynamicvae-20k-nohold"] = f"{no_hold} --method.rising 0.9"
    runs["dynamicvae-20k-nohold-rising0.7"] = f"{no_hold} --method.rising 0.7"
    runs["dynamicvae-20k-published"] = f"{dynamic} --preset paper --method.schedule fitted"
    return runs


if __name__ == "__main__":
    raise SystemExit(launch(plan(), __doc__))
