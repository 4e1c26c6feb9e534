"""Results of runs on scenes3d: `python scenes3d.py RUNS`, a folder of run folders.

Writes `scenes3d.json`, `scenes3d.md` and figures beside this file: KL and beta over the steps, and
for each run originals above reconstructions, and traversals sorted by KL.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from autobeta.control import tracking
from autobeta.reports import load_runs
from autobeta.reports.figures import beta_over_steps, kl_over_steps
from autobeta.run import folder as folders
from autobeta.run.out import write_out

HERE = Path(__file__).parent
SCORES = {
    "MIG": ("mig[bins=20]", None),
    "DCI D": ("dci[lightgbm]", "disentanglement"),
    "DCI C": ("dci[lightgbm]", "completeness"),
    "DCI I": ("dci[lightgbm]", "informativeness"),
    "InfoM": ("infomec[neighbors=10]", "modularity"),
    "FactorVAE": ("factorvae", None),
    "SAP": ("sap", None),
}


def summary(run):
    last = [row for row in run.log if row["step"] > run.log[-1]["step"] - 500]
    entry = {
        "method": run.config["method_config"],
        "steps": run.log[-1]["step"],
        "seed": run.seed,
        "beta_at_end": float(np.mean([row["beta"] for row in last])),
        "evaluation": run.evaluation["train"],
        "metrics": run.metrics["metrics"],
    }
    if (found := tracking(run.log)) is not None:
        entry["within_half_a_nat"] = found.near
    return entry


def table(found):
    losses = {"MSE": "mse", "PSNR": "psnr", "SSIM": "ssim", "KL": "kl"}
    names = ["run", *losses, "beta at the end", *SCORES]
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for name, entry in found.items():
        cells = [f"{entry['evaluation'][key]:.4g}" for key in losses.values()]
        cells.append(f"{entry['beta_at_end']:.3g}")
        for metric, part in SCORES.values():
            value = entry["metrics"][metric]
            cells.append(f"{value[part] if part else value:.3f}")
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines) + "\n"


def grid(rows):
    """One picture of images in rows, (rows, columns, height, width, 3)."""
    count, columns, height, width, channels = rows.shape
    flat = rows.swapaxes(1, 2).reshape(count * height, columns * width, channels)
    return Image.fromarray(flat).quantize(255)


def save(name, write):
    write_out(HERE / name, write)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    root = parser.parse_args().runs
    done = sorted(path.parent for path in root.glob("*/metrics.json"))
    runs = load_runs(done)
    found = {run.name: summary(run) for run in runs}
    environment = folders.read_json(done[0] / folders.ENVIRONMENT)
    environment.pop("commit")
    folders.write_json(HERE / "scenes3d.json", {"environment": environment, "runs": found})
    text = f"# scenes3d\n\nMade by `scenes3d.py`.\n\n{table(found)}"
    save("scenes3d.md", lambda file: file.write(text.encode()))
    for name, figure in (("kl", kl_over_steps(runs)), ("beta", beta_over_steps(runs))):
        save(f"scenes3d-{name}.png", lambda file, f=figure: f.savefig(file, format="png", dpi=110))
    for path in done:
        images = folders.read_npz(path / "reconstructions.npz")
        rows = np.stack([images["originals"][:12], images["reconstructions"][:12]])
        pictures = {"reconstructions": rows}
        pictures["traversals"] = folders.read_npz(path / "traversals.npz")["images"]
        for kind, rows in pictures.items():
            picture = grid(rows)
            save(
                f"scenes3d-{path.name}-{kind}.png",
                lambda file, p=picture: p.save(file, "PNG", optimize=True),
            )
    print(text)


if __name__ == "__main__":
    main()
