"""A network as ONNX, TorchScript, safetensors."""

from pathlib import Path
from typing import Literal

import tyro


def command(
    run: tyro.conf.Positional[Path],
    *,
    format: Literal["onnx", "torchscript", "safetensors"],
    out: Path | None = None,
) -> None:
    """Write encoder, decoder and whole of a run as files, each compared with torch.

    Args:
        run: Run folder, finished or not, or hf://OWNER/REPO.
        format: Format of the files; onnx needs the extra `onnx`.
        out: Folder for the files; RUN/export if not given.
    """
    from autobeta.run.export import export
    from autobeta.run.load import load_run

    loaded = load_run(run, device="cpu")
    print(f"{run}: {loaded.progress}")
    for path, difference, replaced in export(loaded, format, out):
        again = "; the file that was there is replaced" if replaced else ""
        print(f"{path}: differs from torch by at most {difference:.1g}{again}")
