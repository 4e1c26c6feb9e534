"""Total correlation from a discriminator that tells codes from codes shuffled by latent."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from autobeta.models import Discriminator, VAEOutput
from autobeta.objectives._base import AbstractAdversarialObjective
from autobeta.objectives.elbo import elbo_terms
from autobeta.types import Images, Scalar, Terms


def shuffled(z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
    """Each latent permuted over the batch on its own: samples of the product of the marginals."""
    return z.gather(0, torch.rand(z.shape, device=z.device).argsort(dim=0))


class DensityRatio(AbstractAdversarialObjective):
    """Terms reconstruction, kl and total_correlation, the mean log density ratio.

        TC = E_q(z) log q(z) / prod_d q(z_d) ~ mean of D(z)[0] - D(z)[1]

    The discriminator D learns from the first half of a batch, whose codes it is to call 0, and
    from the second half with its latents shuffled, which it is to call 1.

    Source:
        Kim & Mnih, Disentangling by Factorising, 2018, eq. 3 and algorithm 2,
        https://arxiv.org/abs/1802.05983

    Deviations:
        The paper draws a second batch for the shuffled codes; here a batch is cut in two for the
        discriminator, and its terms are those of the whole batch.
    """

    discriminator_loss: Tensor
    min_batch = 4
    couples_images = True

    def __init__(self, num_latents: int, *, lr: float = 1e-4, hidden: int = 6) -> None:
        super().__init__()
        self.discriminator = Discriminator(num_latents, hidden=hidden)
        self._lr = lr
        self.register_buffer("discriminator_loss", torch.zeros(()))

    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms of one batch; an estimate of total correlation may be negative."""
        logits = self.discriminator(output.z)
        return {**elbo_terms(x, output), "total_correlation": (logits[:, 0] - logits[:, 1]).mean()}

    def adversary_optimizer(self) -> torch.optim.Optimizer:
        """Adam with betas (0.5, 0.9), as published."""
        parameters = self.discriminator.parameters()
        return torch.optim.Adam(parameters, self._lr, betas=(0.5, 0.9), fused=True)

    def adversary_loss(self, output: VAEOutput) -> Scalar:
        """Mean cross-entropy of the discriminator, nats; ln 2 if it can tell nothing.

        Raises:
            ValueError: If the batch has fewer than 4 images, so that nothing can be shuffled.
        """
        z = output.z.detach()
        if len(z) < self.min_batch:
            raise ValueError(
                f"`batch_size` must be at least {self.min_batch} for a discriminator; got "
                f"{len(z)}. Raise it."
            )
        half = len(z) // 2
        together = self.discriminator(z[:half])
        apart = self.discriminator(shuffled(z[half:]))
        # cross-entropy of two classes: softplus of the other logit less the right one
        loss = 0.5 * (
            F.softplus(together[:, 1] - together[:, 0]).mean()
            + F.softplus(apart[:, 0] - apart[:, 1]).mean()
        )
        self.discriminator_loss.copy_(loss.detach())
        return loss
