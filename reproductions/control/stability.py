"""The figure of docs/control.md: `python stability.py`.

Left: overshoot of the published DynamicVAE controller, by the gain |dKL/dbeta| and lag, as
the linear analysis predicts it. On dSprites KL is about 25 - 7 ln beta, so the gain is 7 / beta.
Right: KL after a step of its set point at three values of beta, with a lag of 50 steps, under the
published controller and under LogPI, whose gain does not change with beta.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from autobeta.control import Loop, gain_margin, overshoot, step_response

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "stability.png"
PUBLISHED = {"kp": 0.01 / 4, "ki": 0.005, "window": 5}
LOG = {"kp": 0.2, "ki": 0.004, "window": 5}
PER_FOLD = 7.0  # nats of KL for each e-fold of beta


def main():
    gains, lags = np.geomspace(0.1, 1000, 61), np.geomspace(1, 300, 41)
    loops = [[Loop(gain=g, lag=lag, **PUBLISHED) for g in gains] for lag in lags]
    percent = np.array([[100 * min(overshoot(loop), 9.0) for loop in row] for row in loops])
    margins = np.array([[gain_margin(loop) for loop in row] for row in loops])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    shades = left.contourf(gains, lags, percent, [0, 1, 10, 20, 40, 60, 80, 100], cmap="YlOrRd")
    left.contour(gains, lags, margins, [1.0], colors="black")
    figure.colorbar(shades, ax=left, label="overshoot, % of the step")
    left.set(xscale="log", yscale="log", xlabel="gain |dKL/dβ|, nats", ylabel="lag, steps")
    left.set_title("published gains; unstable right of the line", fontsize=9)
    for beta in (50, 1, 0.1):
        left.axvline(PER_FOLD / beta, color="0.3", ls=":", lw=1)
        left.text(PER_FOLD / beta, 1.2, f" β {beta:g}", fontsize=8)
    for beta, style in ((50, "-"), (1, "--"), (0.1, ":")):
        loop = Loop(gain=PER_FOLD / beta, lag=50.0, **PUBLISHED)
        right.plot(
            step_response(loop, 1500), style, color="tab:red", label=f"published, β {beta:g}"
        )
    right.plot(
        step_response(Loop(gain=PER_FOLD, lag=50.0, **LOG), 1500), "k", label="LogPI, any β"
    )
    right.axhline(1, color="0.7", lw=0.8)
    right.set(xlabel="steps", ylabel="KL, of the step", ylim=(0, 2.1))
    right.set_title("a step of the set point, lag 50 steps", fontsize=9)
    right.legend(fontsize=8)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
