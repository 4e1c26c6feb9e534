"""Who may import whom: the table of HOUSE.md 2.5, read off every file with ast."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import autobeta

PACKAGE = Path(autobeta.__file__).parent

EVERYWHERE = {"jaxtyping"}
PARTS = {"data", "metrics", "control", "models", "objectives", "weighting", "methods", "training"}
MAY_IMPORT = {
    "__main__": ({"cli"}, set()),
    "types": (set(), {"torch", "numpy"}),
    "errors": (set(), set()),
    "registry": (set(), set()),
    "rules": (set(), set()),
    "formats": (set(), set()),
    "settings": ({"errors", "registry", "rules", "formats"}, set()),
    "data": (
        {"errors", "registry", "settings"},
        {
            "numpy",
            "scipy",
            "torch",
            "pooch",
            "platformdirs",
            "filelock",
            "joblib",
            "rich",
            "PIL",
            "datasets",
        },
    ),
    "metrics": (
        {"registry"},
        {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl"},
    ),
    "control": ({"types", "rules"}, {"numpy", "scipy"}),
    "models": ({"types", "registry", "rules"}, {"torch"}),
    "weighting": ({"types", "registry", "rules"}, {"torch"}),
    "objectives": ({"types", "models", "rules"}, {"torch"}),
    "methods": ({"types", "registry", "models", "objectives", "weighting", "rules"}, {"torch"}),
    "training": (
        {"types", "errors", "settings", "data", "models", "objectives", "weighting", "run.folder"},
        {"torch", "safetensors", "rich", "joblib", "numpy", "wandb", "mlflow"},
    ),
    "run.folder": ({"errors", "formats", "settings", "metrics"}, {"numpy", "filelock"}),
    "run": (
        {
            "__version__",
            "types",
            "errors",
            "registry",
            "settings",
            "run.folder",
            "reports",
            *PARTS,
        },
        {"numpy", "torch", "filelock", "onnx", "onnxruntime", "onnxscript", "huggingface_hub"},
    ),
    "reports": (
        {"errors", "control", "registry", "settings", "run.folder", "study.table"},
        {"numpy", "scipy", "matplotlib", "PIL"},
    ),
    "study.table": (
        {"errors", "registry", "rules", "settings", "control", "metrics", "run.folder"},
        {"numpy", "scipy", "pyarrow"},
    ),
    "study": (
        {"errors", "registry", "rules", "settings", "control", "metrics", "run", "run.folder"}
        | {"training", "study.table"},
        {"numpy", "scipy", "joblib", "ray", "submitit", "pyarrow"},
    ),
    "cli": (
        {
            "study",
            "study.table",
            "__version__",
            "errors",
            "registry",
            "run",
            "run.folder",
            "reports",
            "rules",
            "settings",
            *PARTS,
        },
        {"tyro", "rich"},
    ),
    "__init__": (set(), set()),
}
TORCH_FREE = {
    *("rules", "settings", "control", "metrics", "reports", "run.folder", "registry", "errors"),
    "study.table",
}
STUDY_FILES = {
    "folder",
    "definition",
    "grid",
    "_checks",
    "_place",
    "progress",
    "table",
    "representations",
}
STUDY_FILES |= {"statistics", "_comparisons", "_intervals", "_ranks"}
"""Of the package `study`, what reads studies and knows no torch."""
LONGEST = 300  # lines of a file
MEDIAN = 110

FILES = sorted(PACKAGE.rglob("*.py"))


def owner(name):
    """The row of the table that a module of the package belongs to, by its dotted name."""
    found = name.split(".")
    files = (["run", "folder"], ["run", "formats"], ["run", "evaluated"], ["run", "out"])
    if found[0] == "study" and found[1:2] and found[1] in STUDY_FILES:
        return "study.table"
    return "run.folder" if found[:2] in files else found[0]


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            packages = ("autobeta", "autobeta.run", "autobeta.study")
            yield from (names if module in packages else [module])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_imports_only_what_its_package_may(path):
    own = owner(name_of(path))
    others, third = MAY_IMPORT[own]
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root == "autobeta":
            assert not rest or owner(rest) in {*others, own}, f"{path} imports {name}"
        elif root not in sys.stdlib_module_names:
            assert root in third | EVERYWHERE, f"{path} imports {name}"


def test_what_a_file_imports_at_its_top_is_a_dependency_without_extras():
    names = {"PIL": "pillow", "sklearn": "scikit-learn"}
    asked = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    core = {re.split("[<>=]", dependency)[0] for dependency in asked["dependencies"]}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for root in {name.partition(".")[0] for name in found} - sys.stdlib_module_names:
                assert root == "autobeta" or names.get(root, root) in core, f"{path}: {root}"


def test_every_package_stands_in_the_table():
    assert {owner(name_of(path)) for path in FILES} == set(MAY_IMPORT)


def test_torch_free_packages_are_torch_free():
    for name in TORCH_FREE:
        assert "torch" not in MAY_IMPORT[name][1]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_private_is_imported_from_another_folder(path):
    """`_name` is private to its package."""
    for name in imports(path):
        if name.startswith("autobeta.") and "._" in name and "__" not in name:
            assert PACKAGE / name.split(".")[1] in path.parents, f"{path} imports {name}"


def test_files_are_short():
    lines = sorted(len(path.read_text("utf-8").splitlines()) for path in FILES)
    assert lines[-1] <= LONGEST
    assert lines[len(lines) // 2] <= MEDIAN


def test_no_two_classes_have_one_name():
    """But a method's settings, which are `Config` in each file."""
    classes = [
        node.name
        for path in FILES
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name != "Config"
    ]
    assert len(classes) == len(set(classes))
