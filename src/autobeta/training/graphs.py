"""A step up to its terms as CUDA graphs: one launch forward and one backward.

The kernels of a small network take less time than their launches. A CUDA graph is captured once
and launches them all; they are the same kernels, on the same random numbers.
"""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from autobeta.models import DiagonalGaussian, VAEOutput
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.training.forward import Forward
from autobeta.types import Images, Scalar, Terms


def is_static(forward: Forward) -> bool:
    """Whether every step launches the same kernels, as far as the modules' classes tell.

    Modules of torch and of this package do, without hooks. Another class may do in Python what a
    graph would not repeat, such as counting its calls.
    """
    return all(_is_plain(module) for module in forward.modules())


def _is_plain(module: nn.Module) -> bool:
    known = type(module).__module__.partition(".")[0] in ("torch", "autobeta")
    forward = (module._forward_hooks, module._forward_pre_hooks)
    backward = (module._backward_hooks, module._backward_pre_hooks)
    return known and not any((*forward, *backward))


class GraphedForward:
    """`Forward` captured at its first batch; all batches must have one shape.

    The output is detached, and overwritten by the next batch. Where nothing can be captured,
    `refused` is true and `forward` goes on launching its kernels, with a warning.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._x: Tensor | None = None
        self._output: VAEOutput | None = None
        self._graphs: list[_Graphs] = []
        self.refused = False

    def __call__(self, x: Images) -> tuple[VAEOutput, Terms]:
        """Output and terms of one batch."""
        if not self._graphs and not self.refused:
            self._try_to_capture(x)
        if self.refused:
            return self._forward(x)
        assert self._x is not None
        self._x.copy_(x)
        terms = self._graphs[0]()
        assert self._output is not None
        return self._output, terms

    def adversary_loss(self, output: VAEOutput) -> Scalar:
        """Loss of the objective's own network on the same batch."""
        if self.refused:
            return self._forward.adversary_loss(output)
        return self._graphs[1]()["adversary"]

    def _try_to_capture(self, x: Images) -> None:
        self._x = x.clone()
        wanted = [self._terms]
        if isinstance(self._forward.objective, AbstractAdversarialObjective):
            wanted.append(self._adversary)
        kept = copy.deepcopy(self._forward.state_dict())
        try:
            self._graphs = _capture(wanted, self._forward)
        except RuntimeError as error:
            self.refused = True
            reason = str(error).partition("\n")[0]
            warnings.warn(
                f"the network is trained without a CUDA graph, which is slower: {reason}",
                stacklevel=3,
            )
        finally:
            self._forward.load_state_dict(kept)  # what the passes before have moved

    def _terms(self) -> Terms:
        assert self._x is not None
        output, terms = self._forward(self._x)
        self._output = _detached(output)
        return terms

    def _adversary(self) -> Terms:
        assert self._output is not None
        return {"adversary": self._forward.adversary_loss(self._output)}


class _Graphs:
    """Terms and their gradients as two graphs; called, it replays the first."""

    def __init__(self, compute: Callable[[], Terms], parameters: list[nn.Parameter]) -> None:
        stream, pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
        options: dict[str, Any] = {"stream": stream, "pool": pool}
        options["capture_error_mode"] = "thread_local"
        _rehearse(compute, parameters, stream)
        self.parameters = parameters
        self.forward, self.backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.forward, **options):
            terms = compute()
        self.weights = [torch.empty_like(term) for term in terms.values()]
        with torch.cuda.graph(self.backward, **options):
            self.gradients = _gradients(terms, parameters, self.weights)
        self.terms = {name: term.detach() for name, term in terms.items()}

    def __call__(self) -> Terms:
        return dict(zip(self.terms, _Replay.apply(self, *self.parameters), strict=True))


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graphs: _Graphs, *parameters: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        del parameters
        ctx.graphs = graphs
        graphs.forward.replay()
        return tuple(term.clone() for term in graphs.terms.values())  # a weighting may keep them

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *weights: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        for place, weight in zip(ctx.graphs.weights, weights, strict=True):
            place.copy_(weight)
        ctx.graphs.backward.replay()
        # detached, so that autograd takes them for `grad` without a copy
        return None, *(g if g is None else g.detach() for g in ctx.graphs.gradients)


def _capture(wanted: list[Callable[[], Terms]], forward: Forward) -> list[_Graphs]:
    parameters = [p for p in forward.parameters() if p.requires_grad]
    device = parameters[0].device
    with torch.cuda.device(device), torch.random.fork_rng([device]):
        try:
            return [_Graphs(compute, parameters) for compute in wanted]
        except RuntimeError:
            # a capture that fails leaves the generator's state unusable
            generator = torch.cuda.default_generators[device.index]
            generator.graphsafe_set_state(torch.Generator(device))
            raise


def _rehearse(
    compute: Callable[[], Terms], parameters: list[nn.Parameter], stream: torch.cuda.Stream
) -> None:
    """Pass forward and backward on the stream of the capture, which must find all prepared.

    The last pass is refused, by a RuntimeError, if it waits for the device.
    """
    before = torch.cuda.get_sync_debug_mode()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mode is a prototype, says torch
        try:
            for mode in (before, before, "error"):
                torch.cuda.set_sync_debug_mode(mode)
                terms = compute()
                _gradients(terms, parameters, [torch.ones_like(t) for t in terms.values()])
        finally:
            torch.cuda.set_sync_debug_mode(before)
    torch.cuda.current_stream().wait_stream(stream)


def _gradients(
    terms: Terms, parameters: list[nn.Parameter], weights: list[Tensor]
) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(list(terms.values()), parameters, weights, allow_unused=True)


def _detached(output: VAEOutput) -> VAEOutput:
    posterior = output.posterior
    return VAEOutput(
        DiagonalGaussian(posterior.mean.detach(), posterior.logvar.detach()),
        output.z.detach(),
        output.outputs.detach(),
        output.likelihood,
    )
