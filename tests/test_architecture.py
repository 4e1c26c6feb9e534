"""Who may import whom: the table of HOUSE.md 2.5, read off every file with ast."""

import ast
import sys
from pathlib import Path

import pytest

import autobeta

PACKAGE = Path(autobeta.__file__).parent

EVERYWHERE = {"jaxtyping"}
MAY_IMPORT = {
    "types": ({}, {"torch", "numpy"}),
    "errors": ({}, set()),
    "registry": ({}, set()),
    "runs": ({"errors"}, {"numpy", "filelock"}),
    "settings": ({"errors", "registry"}, set()),
    "data": (
        {"errors", "registry", "settings"},
        {"numpy", "scipy", "torch", "platformdirs", "rich", "pooch", "PIL", "h5py", "datasets"},
    ),
    "metrics": (
        {"registry"},
        {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl", "lightgbm", "skimage"},
    ),
    "control": ({"errors"}, {"numpy", "scipy"}),
    "models": ({"types"}, {"torch"}),
    "weighting": ({"types"}, {"torch"}),
    "objectives": ({"types", "models"}, {"torch"}),
    "methods": ({"types", "registry", "models", "objectives", "weighting"}, {"torch"}),
    "training": (
        {"types", "errors", "runs", "data", "models", "objectives", "weighting"},
        {"torch", "safetensors", "rich"},
    ),
    "evaluation": (
        {"types", "errors", "runs", "data", "models", "metrics"},
        {"numpy", "torch"},
    ),
    "reports": ({"control", "errors", "runs"}, {"numpy", "matplotlib", "PIL"}),
    "assemble": ({"errors", "registry", "data", "models", "methods", "training"}, {"torch"}),
    "api": (
        {
            "types",
            "runs",
            "assemble",
            "claim",
            "control",
            "data",
            "evaluation",
            "metrics",
            "models",
        }
        | {"models", "reports", "training"},
        {"numpy", "torch"},
    ),
    "claim": ({"runs", "assemble", "data"}, {"torch"}),
    "options": ({"control"}, {"tyro"}),
    "printing": ({"control", "registry"}, {"rich"}),
    "cli_data": ({"data", "options", "printing", "registry"}, set()),
    "cli": (
        {
            "cli_data",
            "options",
            "printing",
            "registry",
            "runs",
            "api",
            "assemble",
            "control",
            "data",
            "evaluation",
            "metrics",
            "reports",
        }
        | {"training"},
        {"torch", "tyro"},
    ),
    "__init__": ({"api", "assemble", "evaluation", "metrics", "training"}, set()),
}
TORCH_FREE = {"control", "metrics", "reports", "runs", "registry", "errors"}

FILES = sorted(PACKAGE.rglob("*.py"))


def owner(path):
    """The package or module of the table that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names = [alias.name for alias in node.names]
            yield from ([f"autobeta.{n}" for n in names] if module == "autobeta" else [module])


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_file_imports_only_what_its_package_may(path):
    own, third = MAY_IMPORT[owner(path)]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "autobeta" and len(parts) > 1 and not parts[1].startswith("__"):
            assert parts[1] in {*own, owner(path)}, f"{path} imports {name}"
        elif parts[0] != "autobeta" and parts[0] not in sys.stdlib_module_names:
            assert parts[0] in third | EVERYWHERE, f"{path} imports {name}"


def test_every_package_stands_in_the_table():
    assert {owner(path) for path in FILES} == set(MAY_IMPORT)


def test_torch_free_packages_are_torch_free():
    for name in TORCH_FREE:
        assert "torch" not in MAY_IMPORT[name][1]
