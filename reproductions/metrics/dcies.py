"""Is the explicitness E of DCI-ES sound? `python dcies.py`; writes `dcies.json` beside this file.

Eastwood et al., DCI-ES, 2023, https://openreview.net/forum?id=462z-gLgSht: probes of growing
capacity predict each factor, and E is one less twice the area between their loss and its lowest
value, over the range of (log) capacity times the loss of a guess. A sound score would not call
noise explicit, and would not depend on how far the range of capacities happens to go.

Probes are random forests of 20 trees, capacity is the logarithm of their number of leaves, loss is
the held-out error over that of a guess.
"""

import json
from pathlib import Path

import numpy as np
from cases import LATENTS, noise, perfect, rotated, with_noise
from sklearn.ensemble import RandomForestClassifier

HERE = Path(__file__).parent
LEAVES = 2 ** np.arange(1, 12)


def constant(n, rng):
    _, factors = perfect(n, rng)
    return np.zeros((n, LATENTS)), factors


CASES = {
    "perfect": perfect,
    "noisy": with_noise(0.5),
    "rotated 45": rotated(45),
    "noise": noise,
    "constant": constant,
}


def losses(codes, factors):
    """Held-out error by factor and capacity, over that of a guess."""
    half = len(codes) // 2
    found = np.empty((factors.shape[1], len(LEAVES)))
    for k, v in enumerate(factors.T):
        for i, leaves in enumerate(LEAVES):
            forest = RandomForestClassifier(20, max_leaf_nodes=int(leaves), random_state=0)
            accuracy = forest.fit(codes[:half], v[:half]).score(codes[half:], v[half:])
            found[k, i] = (1 - accuracy) / (1 - 1 / len(np.unique(v)))
    return np.minimum.accumulate(found, axis=1)


def explicitness(curves, upto):
    """E, mean over factors, with capacities up to a number of leaves."""
    kept = upto >= LEAVES
    x = np.log(LEAVES[kept])
    above = curves[:, kept] - curves[:, kept].min(axis=1, keepdims=True)
    return float(np.mean(1 - 2 * np.trapezoid(above, x, axis=1) / (x[-1] - x[0])))


def main():
    found = {}
    for name, draw in CASES.items():
        curves = losses(*draw(6000, np.random.default_rng(0)))
        found[name] = {
            "lowest loss": float(curves[:, -1].mean()),
            **{f"E up to {upto} leaves": explicitness(curves, upto) for upto in (32, 256, 2048)},
        }
        print(name, found[name], flush=True)
    (HERE / "dcies.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
