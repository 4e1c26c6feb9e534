"""DynamicVAE's controller in a Hugging Face Accelerate loop, resume included.

`python accelerate_loop.py`, or `accelerate launch accelerate_loop.py` on several devices.
"""

import argparse
from pathlib import Path

import torch
from _vae import VAE, images
from accelerate import Accelerator

from autobeta.weighting import IncrementalPI


class Progress:
    """Number of steps done, kept in Accelerate's checkpoints."""

    step = 0

    def state_dict(self):
        """What a resume needs."""
        return {"step": self.step}

    def load_state_dict(self, state):
        """Take it up again."""
        self.step = state["step"]


def main(folder, steps=300, target=5.0):
    """Train, or go on where an earlier call stopped; returns beta at each step."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(0)
    data, model, progress, betas = images(), VAE(), Progress(), []
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    controller = IncrementalPI(ki=-0.05).to(accelerator.device)  # the first of two lines
    model, optimizer = accelerator.prepare(model, optimizer)
    accelerator.register_for_checkpointing(controller, progress)
    if folder.exists():
        accelerator.load_state(str(folder))
    while progress.step < steps:
        # images and noise of its own on every device
        seed = progress.step * accelerator.num_processes + accelerator.process_index
        generator = torch.Generator().manual_seed(seed)
        x = data[torch.randint(len(data), (64,), generator=generator)].to(accelerator.device)
        reconstruction, kl = model(x, seed=seed)
        mean_kl = accelerator.gather(kl.detach()).mean()  # over all devices, so that they agree
        beta = controller.step(mean_kl, target)  # the second
        optimizer.zero_grad()
        accelerator.backward(reconstruction + beta * kl)
        optimizer.step()
        progress.step += 1
        betas.append(float(beta))
    accelerator.save_state(str(folder))
    return betas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("runs/accelerate-loop"))
    arguments = parser.parse_args()
    found = main(arguments.out, arguments.steps)
    print(f"beta {found[-1]:.3f} after {arguments.steps} steps" if found else "finished already")
