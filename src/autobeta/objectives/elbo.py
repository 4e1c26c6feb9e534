"""The two terms of the evidence lower bound: reconstruction and kl."""

from torch import Tensor

from autobeta.models import AbstractLikelihood, Bernoulli, VAEOutput, entropy
from autobeta.objectives._base import AbstractObjective
from autobeta.types import Images, Scalar, Terms


def elbo_terms(x: Images, output: VAEOutput) -> dict[str, Tensor]:
    """The terms "reconstruction" and "kl" of one batch, which every objective counts."""
    return {
        "reconstruction": output.likelihood.nll(output.outputs, x).mean(),
        "kl": output.posterior.kl().sum(dim=1).mean(),
    }


class Elbo(AbstractObjective):
    """reconstruction = E_q[-log p(x|z)] with one sample; kl = KL(q(z|x) || p(z)); nats per image.

    Args:
        kl_per_latent: Keep `kl` as a vector over latents, for methods that weigh each latent.
        relative: Take the images' own entropy off a Bernoulli's reconstruction, for methods whose
            weights follow its value; the gradient is the same.

    Source:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, eq. 3 and 7,
        https://arxiv.org/abs/1312.6114
    """

    def __init__(self, *, kl_per_latent: bool = False, relative: bool = False) -> None:
        super().__init__()
        self.kl_per_latent, self.relative = kl_per_latent, relative

    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms {"reconstruction", "kl"} of one batch."""
        reconstruction = self.reconstruction(output.likelihood, output.outputs, x)
        kl = output.posterior.kl().mean(dim=0)
        return {"reconstruction": reconstruction, "kl": kl if self.kl_per_latent else kl.sum()}

    def reconstruction(self, likelihood: AbstractLikelihood, outputs: Images, x: Images) -> Scalar:
        """What images cost, given the outputs for each: nats, mean over the batch."""
        cost = likelihood.nll(outputs, x).mean()
        relative = self.relative and isinstance(likelihood, Bernoulli)
        return cost - entropy(x).mean() if relative else cost
