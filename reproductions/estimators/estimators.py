"""How far the estimates of the KL's parts are off: `python estimators.py [--draws 100]`.

The data set is Gaussian: posterior means are drawn once from N(0, S) for `num_train` images, and
every posterior has the variance s in each latent. For endlessly many images all three parts are
known; for these images they are summed over all of them at 2,000 samples ("all images"). Each
estimator sees batches. Writes `estimators.json` and `estimators.md` beside this file, and the
figure of docs/estimators.md.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from autobeta.models import DiagonalGaussian, log_normal
from autobeta.objectives import split_kl
from autobeta.run import folder as runs

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "images" / "estimators.png"
PARTS = ("mutual_information", "total_correlation", "dimension_kl")
ESTIMATORS = ("stratified", "weighted", "strided")
BATCHES = (16, 64, 256, 1024)
NUM_TRAIN = 100_000
# latents, correlation of neighbours, variance of the posteriors: few nats in the code, and many
CASES = {"4 latents, few nats": (4, 0.6, 0.3), "10 latents, many nats": (10, 0.6, 0.02)}


def covariance(num_latents, correlation):
    """Unit variances, and a correlation that falls with the distance of two latents."""
    index = np.arange(num_latents)
    return correlation ** np.abs(index[:, None] - index)


def known_parts(spread, variance):
    whole = spread + variance * np.eye(len(spread))
    marginal = np.log(np.diag(whole)).sum()
    joint = np.linalg.slogdet(whole)[1]
    return (
        0.5 * (joint - len(whole) * math.log(variance)),
        0.5 * (marginal - joint),
        0.5 * (np.diag(whole).sum() - len(whole) - marginal),
    )


def over_all_images(means, variance, rng, samples=2000):
    """The parts for these very images: mixtures over all of them, at samples of some."""
    mean = means[rng.choice(len(means), samples, replace=False)]
    logvar = torch.full_like(mean[:1], math.log(variance))
    z = mean + math.sqrt(variance) * torch.randn_like(mean)
    found = []
    for part in range(0, samples, 20):
        density = log_normal(z[part : part + 20, None], means, logvar)
        joint = torch.logsumexp(density.sum(dim=2), dim=1) - math.log(len(means))
        marginal = (torch.logsumexp(density, dim=1) - math.log(len(means))).sum(dim=1)
        found.append(torch.stack([joint, marginal], dim=1))
    joint, marginal = torch.cat(found).T
    own = log_normal(z, mean, logvar).sum(dim=1)
    prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
    parts = (own - joint, joint - marginal, marginal - prior)
    return [float(part.mean()) for part in parts]


def estimates(means, variance, batch, draws, rng):
    """Shape (estimators, draws, parts)."""
    found = np.empty((len(ESTIMATORS), draws, len(PARTS)))
    for d in range(draws):
        mean = means[rng.choice(len(means), batch, replace=False)]
        posterior = DiagonalGaussian(mean, torch.full_like(mean, math.log(variance)))
        z = posterior.rsample()
        for e, name in enumerate(ESTIMATORS):
            found[e, d] = [float(part) for part in split_kl(posterior, z, len(means), name)]
    return found


def draw(results):
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained", sharex=True)
    for row, (case, result) in zip(axes, results.items(), strict=True):
        for k, (axis, part) in enumerate(zip(row, PARTS, strict=True)):
            for name in ESTIMATORS:
                entries = [result["estimates"][str(b)][name] for b in BATCHES]
                means, stds = (np.array([e[key][k] for e in entries]) for key in ("mean", "std"))
                axis.errorbar(BATCHES, means, stds, marker="o", ms=3, capsize=2, label=name)
            axis.axhline(result["all_images"][k], color="0.4", ls=":", label="all images")
            axis.set_xscale("log", base=2)
            axis.set_title(f"{part.replace('_', ' ')}\n{case}", fontsize=8)
    axes[0, 0].set_ylabel("nats")
    axes[1, 0].set_ylabel("nats")
    for axis in axes[1]:
        axis.set_xlabel("images in the batch")
    axes[0, 0].legend(fontsize=7)
    figure.savefig(PICTURE, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    results = {}
    lines = ["# Estimates of the KL's parts", "", "Made by `estimators.py`."]
    for case, (num_latents, correlation, variance) in CASES.items():
        spread = covariance(num_latents, correlation)
        known = known_parts(spread, variance)
        means = torch.from_numpy(rng.multivariate_normal(np.zeros(num_latents), spread, NUM_TRAIN))
        exact = over_all_images(means, variance, rng)
        results[case] = {"endless": known, "all_images": exact, "estimates": {}}
        lines += ["", f"## {case}", "", "| estimator | batch | MI | TC | dimension-wise KL |"]
        lines += ["|---|---|---|---|---|"]
        for name, values in (("endless data", known), ("all images", exact)):
            lines += [f"| {name} | | {' | '.join(f'{value:.2f}' for value in values)} |"]
        for batch in BATCHES:
            found = estimates(means, variance, batch, draws, rng)
            results[case]["estimates"][str(batch)] = {
                name: {"mean": f.mean(axis=0).tolist(), "std": f.std(axis=0, ddof=1).tolist()}
                for name, f in zip(ESTIMATORS, found, strict=True)
            }
        for name in ESTIMATORS:
            for batch in BATCHES:
                entry = results[case]["estimates"][str(batch)][name]
                cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(*entry.values(), strict=True)]
                lines.append(f"| {name} | {batch} | {' | '.join(cells)} |")
    about = {"num_train": NUM_TRAIN, "draws": draws, "torch": torch.__version__.split("+")[0]}
    runs.write_json(HERE / "estimators.json", {"about": about, "cases": results})
    (HERE / "estimators.md").write_text("\n".join(lines) + "\n")
    draw(results)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
