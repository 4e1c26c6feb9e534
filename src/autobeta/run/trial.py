"""A first step of a run on copies of its parts: what can't take a batch is refused by name."""

import copy

import numpy as np
import torch
from torch import Tensor

from autobeta.data import FactorDataset, as_batch
from autobeta.models import VAEOutput
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.settings import RunConfig
from autobeta.training import TrainState
from autobeta.training.checkpoint import check_kept
from autobeta.types import Images
from autobeta.weighting import check_terms, effective_weights


def try_step(state: TrainState, dataset: FactorDataset, config: RunConfig) -> None:
    """Train copies on the first images for one step; neither state nor random numbers move.

    Raises:
        ValueError: If data, network, objective or weighting can't take such a batch, or hold what
            no checkpoint can keep.
    """
    index = dataset.splits["train"][: config.train.batch_size]
    pixels, wanted = dataset.images(index), (len(index), *dataset.image_shape)
    if pixels.dtype != np.uint8 or pixels.shape != wanted:
        raise ValueError(
            f"`data` must give uint8 images of shape {wanted}; got {pixels.dtype} of shape "
            f"{pixels.shape}. Correct its function `images`, or its `image_shape`."
        )
    x = as_batch(torch.from_numpy(pixels).to(state.device))
    devices = [state.device] if state.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            with torch.no_grad():
                state.model.eval()(x)  # lazy modules take their shapes
            modules = copy.deepcopy((state.model, state.objective, state.weighting))
            model, objective, weighting = (module.train() for module in modules)
            output = model(x)
            _check_likelihood(output, x)
            terms = objective(x, output)
            check_terms(terms, "reconstruction", "kl")
            loss = weighting(terms, 0)
            effective_weights(loss, terms)
            loss.backward()
            if isinstance(objective, AbstractAdversarialObjective):
                objective.adversary_loss(output)
        except Exception as error:
            if str(error).startswith("`"):
                raise
            raise ValueError(
                f"a batch of shape {tuple(x.shape)} must pass network, objective and weighting, "
                f"forward and backward; got {type(error).__name__}: {error}"
            ) from error
    for name, module in state.modules().items():
        check_kept(name, module)
    if output.z.shape[1] != config.model.num_latents:
        raise ValueError(
            f"`network` must have the {config.model.num_latents} latents of "
            f"ModelConfig(num_latents=...); got {output.z.shape[1]}. Make both the same."
        )


def _check_likelihood(output: VAEOutput, x: Images) -> None:
    nats, log_sigma = output.likelihood.nll(output.outputs, x), output.likelihood.log_sigma
    if nats.shape != (len(x),):
        raise ValueError(
            f"`likelihood` must return one number for each image, shape ({len(x)},); got "
            f"{tuple(nats.shape)}. Sum over pixels and channels, as .sum(dim=(1, 2, 3))."
        )
    if not isinstance(log_sigma, Tensor) or log_sigma.ndim:
        raise ValueError(
            "`likelihood.log_sigma` must be a tensor that holds one number, shape (); got "
            f"{log_sigma!r}. Leave it out for 0, or make it a buffer, as of torch.zeros(())."
        )
