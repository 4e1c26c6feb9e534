"""DynamicVAE's controller in a Lightning module, resume included: `python lightning_loop.py`."""

import argparse
from pathlib import Path

import lightning
import torch
from _vae import VAE, images
from torch.utils.data import DataLoader, TensorDataset

from autobeta.weighting import IncrementalPI


class Module(lightning.LightningModule):
    """The controller is a submodule, so that Lightning's checkpoints hold its state."""

    def __init__(self, target=5.0):
        super().__init__()
        self.model = VAE()
        self.target = target
        self.controller = IncrementalPI(ki=-0.05)  # the first of two lines
        self.betas = []

    def training_step(self, batch, _):
        """Loss of one batch."""
        seed = self.global_step * self.trainer.world_size + self.global_rank  # noise of its own
        reconstruction, kl = self.model(batch[0], seed=seed)
        mean_kl = self.all_gather(kl.detach()).mean()  # over all devices, so that they agree
        beta = self.controller.step(mean_kl, self.target)  # the second
        self.betas.append(float(beta))
        return reconstruction + beta * kl

    def configure_optimizers(self):
        """Adam of the model; the controller has no parameters."""
        return torch.optim.Adam(self.parameters(), 1e-3)


def main(folder, epochs=30):
    """Train, or go on where an earlier call stopped; returns beta at each step."""
    lightning.seed_everything(0, verbose=False)
    checkpoint = folder / "last.ckpt"
    module = Module()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(TensorDataset(images()), batch_size=64)
    former = checkpoint if checkpoint.exists() else None
    trainer.fit(module, loader, ckpt_path=former, weights_only=True)
    trainer.save_checkpoint(checkpoint)
    return module.betas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("runs/lightning-loop"))
    arguments = parser.parse_args()
    found = main(arguments.out, arguments.epochs)
    print(f"beta {found[-1]:.3f} after {arguments.epochs} epochs" if found else "finished already")
