"""The folder is the registry: a module's name is the name of its method, metric or data set.

Packages outside add to a folder by entry points: the group `autobeta.methods` adds methods, and
so do `.metrics`, `.data`, `.networks` and `.likelihoods`; each entry names a module that holds
what a module of the folder holds.
"""

import ast
import difflib
import functools
import importlib
import warnings
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).parent
_NEEDED = {"metrics": {"DEFAULT", "NEEDS", "RANGE"}}  # constants that are read of every module


def available(folder: str) -> tuple[str, ...]:
    """Names of the modules in a folder such as "models/networks", and of those outside; sorted.

    Example:
        >>> "vae" in available("methods")
        True
    """
    return tuple(sorted(_own(folder) | set(_outside(folder))))


def is_outside(folder: str, name: str) -> bool:
    """Whether a module comes from another package."""
    return name in _outside(folder)


def listed(folder: str) -> tuple[str, ...]:
    """Those of `available` that users choose from: a module may say `LISTED = False`.

    Example:
        >>> "pilot" in available("methods"), "pilot" in listed("methods")
        (True, False)
    """
    names = available(folder)
    return tuple(name for name in names if describe(folder, name).get("LISTED", True))


def _own(folder: str) -> set[str]:
    return {path.stem for path in (_PACKAGE / folder).glob("[!_]*.py")}


@functools.cache
def _outside(folder: str) -> dict[str, EntryPoint]:
    """Entry points of other packages by name; a name of our own is never taken by them.

    One whose module can't be found or read is left out, with a warning.
    """
    found = {}
    for entry in entry_points(group=f"autobeta.{folder.rpartition('/')[2]}"):
        try:
            lacking = _NEEDED.get(folder, set()) - _described(_place(entry.value)).keys()
            if lacking:
                raise ValueError(f"it has no {', '.join(sorted(lacking))}")
        except Exception as error:  # finding it imports the package around it
            package = entry.dist.name if entry.dist else "unknown"
            warnings.warn(
                f"{entry.name!r}, which the package {package} adds to {entry.group}, is left out: "
                f"{entry.value!r} can't be read, {error}. Correct the entry point, or uninstall "
                "the package.",
                stacklevel=2,
            )
            continue
        if entry.name not in _own(folder):
            # where importlib_metadata was imported, as by MLflow, they are of a class of its own
            found[entry.name] = EntryPoint(entry.name, entry.value, entry.group)
    return found


def _place(module: str) -> Path:
    """The file of a module, found without importing it."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"there is no module {module}")
    return Path(spec.origin)


def check_name(folder: str, name: str) -> str:
    """Return `name` if the folder has it.

    Raises:
        ValueError: If it has not; the message lists what exists and the nearest name.
    """
    names = available(folder)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    hint += " Images of your own are named by their path, such as ./images." * (folder == "data")
    kind = folder.rpartition("/")[2]
    raise ValueError(f"`{kind}` has no {name!r}; it has {', '.join(listed(folder))}.{hint}")


def load(folder: str, name: str) -> ModuleType:
    """Import one module of a folder by name.

    Raises:
        ValueError: If the folder has no such module.
        ImportError: If it is of another package, and that can't be imported.
    """
    entry = _outside(folder).get(check_name(folder, name))
    own = f"autobeta.{folder.replace('/', '.')}.{name}"
    return importlib.import_module(own if entry is None else entry.value)


def describe(folder: str, name: str) -> dict[str, object]:
    """Facts about a module, read without importing it: its constants and its docstring.

    Returns:
        The literal values assigned to UPPER_CASE names (the keys of a dictionary that is not
        literal throughout), "doc", the docstring, and "SETTINGS", the fields of a class `Config`
        with their defaults as they are written, where there is one.

    Example:
        >>> describe("methods", "vae")["doc"].splitlines()[0]
        'Variational autoencoder: the unweighted evidence lower bound.'
    """
    return dict(_described(_source(folder, check_name(folder, name))))


@functools.cache
def _described(path: Path) -> dict[str, object]:
    tree = ast.parse(path.read_text("utf-8"))
    facts: dict[str, object] = {"doc": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_":
                facts[target.id] = _literal(node.value)
        elif isinstance(node, ast.ClassDef) and node.name == "Config":
            facts["SETTINGS"] = _fields(node)
    return facts


def defaults(folder: str, name: str) -> dict[str, object]:
    """Defaults of a module's `Config` that are literals, read without importing it."""
    settings = describe(folder, name).get("SETTINGS", {})
    assert isinstance(settings, dict)
    written = {key: text for key, text in settings.items() if text}  # some have no default
    return {key: _literal(ast.parse(text, mode="eval").body) for key, text in written.items()}


def _source(folder: str, name: str) -> Path:
    entry = _outside(folder).get(name)
    return _PACKAGE / folder / f"{name}.py" if entry is None else _place(entry.value)


def _fields(node: ast.ClassDef) -> dict[str, str]:
    """Annotated names of a class body, and the text of their defaults."""
    return {
        field.target.id: ast.unparse(field.value) if field.value else ""
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _literal(node: ast.expr) -> object:
    """The value of a literal; of a dictionary that is not one throughout, its keys."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        keys = node.keys if isinstance(node, ast.Dict) else []
        return tuple(key.value for key in keys if isinstance(key, ast.Constant))
