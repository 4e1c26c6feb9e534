"""Encoder, decoder and whole of a run as modules of plain tensors, and what is said about each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autobeta import __version__, registry
from autobeta.models import VAE, AbstractLikelihood
from autobeta.run.load import Run

DECODER_OUTPUTS = {
    "logits": "logits of the mean image: x_mean is their logistic function",
    "mean": "mean image, not brought to [0, 1] yet: x_mean is its values, clipped",
    "parameters": "parameters of the likelihood, whose mean x_mean is",
}
"""What the output of a decoder may be, see `decoder_output`."""


class EncoderPart(nn.Module):
    """x to mean and logvar."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (batch, num_latents)."""
        found = self.model.encode(x)
        return found.mean, found.logvar


class DecoderPart(nn.Module):
    """z to outputs and x_mean."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The likelihood's parameters, and the mean image."""
        outputs = self.model.decoder(z).float()
        return outputs, self.model.likelihood.mean_image(outputs)


class WholePart(nn.Module):
    """x to mean, logvar and x_mean, the image that the mean is decoded to."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log-variance of q(z|x), and the mean image of the mean."""
        found = self.model.encode(x)
        return found.mean, found.logvar, self.model.decode(found.mean)


@dataclass(frozen=True)
class Part:
    """A part of a run, on the CPU.

    Args:
        module: From its input to a tuple of its outputs.
        tensors: Whose tensors are its own, under the names of that module's `state_dict`.
        input: Name of its input, x or z.
        outputs: Names of its outputs.
        facts: What a file of it says about it; plain JSON.
    """

    module: nn.Module
    tensors: nn.Module
    input: str
    outputs: tuple[str, ...]
    facts: Mapping[str, Any]

    def example(self, batch: int) -> Tensor:
        """A batch of random inputs, the same at each call."""
        noise = torch.Generator().manual_seed(batch)
        if self.input == "z":
            return torch.randn(batch, self.facts["num_latents"], generator=noise)
        return torch.rand(batch, *self.facts["image_shape"], generator=noise)

    def examples(self, batch: int) -> list[Tensor]:
        """Batches that differ in more than their noise: dark and bright, near and far."""
        given = self.example(batch)
        if self.input == "z":
            return [given, 0 * given, 3 * given, -3 * given]
        return [given, 0.02 * given, 1 - 0.02 * given, given.round()]


def parts_of(run: Run) -> dict[str, Part]:
    """Encoder, decoder and whole of a run, by these names; its network must be on the CPU."""
    model = run.model
    made: dict[str, tuple[nn.Module, nn.Module, str, tuple[str, ...]]] = {
        "encoder": (EncoderPart(model), model.encoder, "x", ("mean", "logvar")),
        "decoder": (DecoderPart(model), model.decoder, "z", ("outputs", "x_mean")),
        "whole": (WholePart(model), model, "x", ("mean", "logvar", "x_mean")),
    }
    said, shared = _said(run), _facts(run)
    return {
        name: Part(
            module=module.eval(),
            tensors=tensors,
            input=given,
            outputs=outputs,
            facts={
                "part": name,
                "inputs": {given: said[given]},
                "outputs": {output: said[output] for output in outputs},
                **shared,
            },
        )
        for name, (module, tensors, given, outputs) in made.items()
    }


def decoder_output(likelihood: AbstractLikelihood) -> str:
    """What a likelihood takes a decoder's output for: a key of `DECODER_OUTPUTS`."""
    known: dict[object, str] = {torch.sigmoid: "logits", torch.positive: "mean"}
    return known.get(likelihood.link, "parameters")


def public_name(data: str) -> str:
    """The name of a data set, or the last part of a path to the user's own images."""
    return data if data in registry.available("data") else Path(data).name


def _facts(run: Run) -> dict[str, Any]:
    height, width, channels = run.image_shape
    config = run.config
    return {
        "image_shape": [channels, height, width],
        "num_latents": config.model.num_latents,
        "likelihood": type(run.model.likelihood).__name__,
        "decoder_output": decoder_output(run.model.likelihood),
        "architecture": config.model.architecture,
        "method": config.method,
        "data": public_name(config.data),
        "step": run.step,
        "steps": config.train.steps,
        "autobeta": __version__,
        "torch": torch.__version__,
    }


def _said(run: Run) -> dict[str, str]:
    """Meaning and shape of each input and output."""
    height, width, channels = run.image_shape
    images = f"float32 (batch, {channels}, {height}, {width}), channels first"
    codes = f"float32 (batch, {run.config.model.num_latents})"
    return {
        "x": f"{images}; images / 255, so values in [0, 1]",
        "z": f"{codes}; a latent vector, such as the encoder's mean or a standard normal draw",
        "mean": f"{codes}; mean of q(z|x), the code",
        "logvar": f"{codes}; natural logarithm of the variance of q(z|x)",
        "outputs": f"{images}; {DECODER_OUTPUTS[decoder_output(run.model.likelihood)]}",
        "x_mean": f"{images}; mean image, values in [0, 1]; * 255 for bytes",
    }
