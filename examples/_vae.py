"""A small VAE and images for the examples: stands for your own model and your own data."""

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    """Any model will do that gives a reconstruction loss and a KL, in nats per image."""

    def __init__(self, num_latents=6):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 2 * num_latents)
        )
        self.decoder = nn.Sequential(
            nn.Linear(num_latents, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.Unflatten(1, (1, 16, 16)),
        )

    def forward(self, x, seed):
        """Reconstruction and KL: sums over pixels and latents, means over the batch."""
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
        logits = self.decoder(mean + noise.to(mean) * (0.5 * logvar).exp())
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum() / len(x)
        return reconstruction, kl


def images(count=512):
    """White squares at random places, (count, 1, 16, 16)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(count, 1, 16, 16)
    for image, (row, column) in zip(
        x, torch.randint(0, 12, (count, 2), generator=generator).tolist(), strict=True
    ):
        image[0, row : row + 5, column : column + 5] = 1
    return x
