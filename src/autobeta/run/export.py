"""A run's network as ONNX, TorchScript or safetensors, each file compared with torch."""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autobeta.run import folder as files
from autobeta.run.load import Run, load_run
from autobeta.run.out import write_out
from autobeta.run.parts import Part, parts_of
from autobeta.training.checkpoint import read_tensors, write_module

Apply = Callable[[Tensor], tuple[Tensor, ...]]

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}
FACTS = "autobeta.json"
"""Name of the facts in a TorchScript file; in a safetensors file it is `autobeta`."""
TOLERANCE = 1e-4
"""Difference from torch that is allowed, relative to the largest value, or to 1 below it."""
_TRACED, _COMPARED = 2, (1, 3)  # sizes of batches


class Exported(NamedTuple):
    """A file that was written: where, its largest difference from torch, and if one was there."""

    path: Path
    difference: float
    replaced: bool


def export(run: Run | Path | str, format: str, folder: Path | str | None = None) -> list[Exported]:
    """Write encoder, decoder and whole of a run, each as one file.

    Each file takes batches of any size and is compared with torch on random ones, dark and bright,
    before any is put in its place. It says what its inputs and outputs are: an ONNX file in its
    metadata, a TorchScript file in the extra file `autobeta.json`, a safetensors file in the
    metadata `autobeta`.

    Args:
        run: A run, finished or not, or its folder.
        format: onnx, torchscript or safetensors.
        folder: Where the files go; `export` in the run folder if not given.

    Returns:
        The files written.

    Raises:
        ValueError: If the format is unknown, it can't express the network, or the folder is a file
            or one of a run's own.
        ImportError: If a library of the format is missing.
        RuntimeError: If a file does not give what torch gives.
    """
    if format not in SUFFIXES:
        raise ValueError(f"`format` must be one of {', '.join(SUFFIXES)}; got {format!r}.")
    if format == "onnx":
        _check_onnx()
    run = run if isinstance(run, Run) else load_run(run, device="cpu")
    run = replace(run, model=copy.deepcopy(run.model).cpu().eval())
    folder = run.folder / "export" if folder is None else Path(folder)
    _check_folder(folder)
    found = {}
    with TemporaryDirectory() as beside:
        for name, part in parts_of(run).items():
            written = Path(beside) / f"{name}{SUFFIXES[format]}"
            with torch.no_grad(), _quiet():
                difference = _difference(part, _converted(part, written, format), written.name)
            found[folder / written.name] = (written.read_bytes(), difference)
    return [_placed(path, *content) for path, content in found.items()]


def _check_folder(folder: Path) -> None:
    own = folder.name in (files.CHECKPOINT, files.BEST, files.PICTURES)
    kept = own and (folder.parent / files.CONFIG).exists()  # a checkpoint takes the place of all
    if kept or folder.is_file():
        what = "file" if folder.is_file() else "run's own folder"
        raise ValueError(
            f"`out` must be a folder of its own; got the {what} {folder}. Name another."
        )


def _placed(path: Path, data: bytes, difference: float) -> Exported:
    replaced = path.exists()
    write_out(path, lambda file: file.write(data))
    return Exported(path, difference, replaced)


def _converted(part: Part, path: Path, format: str) -> Apply:
    """Write a part into a file, and give what the file computes."""
    if format == "safetensors":
        return _safetensors(part, path)
    try:
        return {"onnx": _onnx, "torchscript": _torchscript}[format](part, path)
    except Exception as error:  # tracing raises whatever the user's network raises
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        why = (str(first).splitlines() or [""])[0]
        raise ValueError(
            f"`run` must have a network that {format} can express; got {type(first).__name__} "
            f"from its {part.facts['part']}: {why}. Export it as safetensors."
        ) from error


def _onnx(part: Part, path: Path) -> Apply:
    import onnx
    import onnxruntime

    program = torch.onnx.export(
        part.module,
        (part.example(_TRACED),),
        dynamo=True,
        verbose=False,
        input_names=[part.input],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    assert program is not None
    _name_outputs(program.model.graph, part.outputs)
    model = program.model_proto
    for item in (model.graph, *model.graph.node, *model.graph.initializer, *model.functions):
        del item.metadata_props[:]  # lines of code, with the paths of this machine
    for item in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del item.metadata_props[:]
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in part.facts.items()}
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def apply(given: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(torch.from_numpy, session.run(None, {part.input: given.numpy()})))

    return apply


def _name_outputs(graph: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401 - of onnx_ir
    """Give outputs their names, which the exporter gives to what it computes by a mean as well."""
    for node in graph.all_nodes():
        for value in node.outputs:
            if value.name in names:
                value.name += "_inside"
    for value, name in zip(graph.outputs, names, strict=True):
        value.name = name


def _torchscript(part: Part, path: Path) -> Apply:
    traced = torch.jit.trace(part.module, (part.example(_TRACED),), check_trace=False)
    buffer = BytesIO()
    torch.jit.save(traced, buffer, _extra_files={FACTS: json.dumps(dict(part.facts)).encode()})
    path.write_bytes(buffer.getvalue())
    return torch.jit.load(path)


def _safetensors(part: Part, path: Path) -> Apply:
    write_module(path, part.tensors, **part.facts)
    module, tensors = copy.deepcopy((part.module, part.tensors))
    tensors.load_state_dict(read_tensors(path))
    return module


def _difference(part: Part, apply: Apply, name: str) -> float:
    """The largest difference of a file's outputs from torch, relative as `TOLERANCE` is."""
    most = 0.0
    for batch, given in ((n, given) for n in _COMPARED for given in part.examples(n)):
        try:
            found = apply(given)
        except Exception as error:  # as of a file that takes one size of a batch alone
            raise RuntimeError(
                f"`{name}` must take a batch of {batch}; got {type(error).__name__}: {error} "
                "Nothing was written. Take another format, or change what in the network fixes "
                "the size of a batch."
            ) from error
        for output, ours, theirs in zip(part.outputs, part.module(given), found, strict=True):
            far = float("inf")
            if ours.shape == theirs.shape:
                far = float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1))
            if not far <= TOLERANCE:
                raise RuntimeError(
                    f"`{name}` must give what torch gives; its {output} of a batch of {batch} is "
                    f"off by {far:.3g}. Nothing was written. Take another format, or change what "
                    "in the network depends on the values or the size of a batch."
                )
            most = max(most, far)
    return most


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporters say about themselves: the files are compared instead."""
    former = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)


def _check_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"`onnx`, `onnxscript` and `onnxruntime` must be installed to export as onnx; got: "
            f'{error}. Run: pip install "autobeta[onnx]"'
        ) from error
