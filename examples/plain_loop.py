"""DynamicVAE's controller in a plain PyTorch loop, resume included: `python plain_loop.py`."""

import argparse
from pathlib import Path

import torch
from _vae import VAE, images

from autobeta.weighting import IncrementalPI


def main(folder, steps=300, target=5.0):
    """Train, or go on where an earlier call stopped; returns beta at each step."""
    torch.manual_seed(0)
    data, model = images(), VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    controller = IncrementalPI(ki=-0.05)  # the first of two lines
    checkpoint, start, betas = folder / "checkpoint.pt", 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        controller.load_state_dict(state["controller"])
        start = state["step"]
    for step in range(start, steps):
        x = data[torch.randint(len(data), (64,), generator=torch.Generator().manual_seed(step))]
        reconstruction, kl = model(x, seed=step)
        beta = controller.step(kl, target)  # the second
        loss = reconstruction + beta * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        betas.append(float(beta))
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "controller": controller.state_dict(),
            "step": steps,
        },
        checkpoint,
    )
    return betas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("runs/plain-loop"))
    arguments = parser.parse_args()
    found = main(arguments.out, arguments.steps)
    print(f"beta {found[-1]:.3f} after {arguments.steps} steps" if found else "finished already")
