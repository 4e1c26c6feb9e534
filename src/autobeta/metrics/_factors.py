"""Tables of factor values, kept exact until each column is numbered or becomes floats."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

# Values as they were given: integers of any size, booleans, floats; objects where mixed or huge.
Exact = np.ndarray
Column = np.ndarray
Factors = Int[np.ndarray, "points factors"]

MOST_VALUES = 1000
EXACT_FLOAT = 2**53


def as_array(table: ArrayLike, name: str) -> np.ndarray:
    """The table as an array; refused if its rows differ in length, or entries are masked.

    A tensor may have a graph, be on another device, or be of a type that NumPy lacks.
    """
    if (detach := getattr(table, "detach", None)) is not None:
        table = _from_tensor(detach(), name)
    if isinstance(table, list | tuple):
        table = [
            _from_tensor(row.detach(), name) if hasattr(row, "detach") else row for row in table
        ]
    if np.ma.is_masked(table):
        raise ValueError(f"`{name}` must have no masked entries. Leave out their rows.")
    try:
        return np.asarray(table)
    except ValueError as error:
        raise ValueError(f"`{name}` must be a table of rows of one length; {error}.") from error


def _from_tensor(tensor: Any, name: str) -> np.ndarray:  # noqa: ANN401 - without torch
    if tensor.is_meta:
        raise ValueError(f"`{name}` must hold numbers; got a tensor on the device meta. Fill it.")
    tensor = (tensor if str(tensor.layout) == "torch.strided" else tensor.to_dense()).cpu()
    narrow = tensor.is_floating_point() and tensor.dtype.itemsize < 4  # NumPy has float16 alone
    narrow = narrow and str(tensor.dtype) != "torch.float16"
    return (tensor.float() if narrow else tensor).resolve_conj().resolve_neg().numpy()


def exact_table(factors: ArrayLike, name: str = "factors") -> Exact:
    """Factor values in two axes, none of them rounded; Python integers where NumPy's won't do."""
    array = as_array(factors, name)
    if array.dtype == np.float64 and not isinstance(factors, np.ndarray):
        mixed = (np.abs(array) >= EXACT_FLOAT).any()  # a list of large integers, perhaps
        array = np.asarray(factors, dtype=object) if mixed else array
    if array.dtype.kind not in "iubfO":
        raise _no_number(name, f"dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (num_points, num_factors) with at least 1 factor; "
            f"got {array.shape}."
        )
    if array.dtype.kind == "O" or array.dtype.itemsize > 8:
        rows = [[_number(v, name, k) for k, v in enumerate(row)] for row in array.tolist()]
        return np.array(rows, dtype=object).reshape(array.shape)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        k = int(np.flatnonzero(~np.isfinite(array).all(axis=0))[0])
        raise _not_finite(array[~np.isfinite(array[:, k]), k][0], name, k)
    return array


def _number(value: Any, name: str, k: int) -> int | float:  # noqa: ANN401 - any object
    """An entry of a table of objects as a Python integer if it is whole, else as a float."""
    if not isinstance(value, Real | np.bool_):
        raise _no_number(name, f"{value!r} in column {k}")
    number: Any = value
    if not -math.inf < number < math.inf:
        raise _not_finite(value, name, k)
    try:
        return int(number) if number == int(number) else float(number)
    except OverflowError as error:
        raise _not_finite(value, name, k) from error


def _no_number(name: str, got: str) -> TypeError:
    return TypeError(
        f"`{name}` must hold numbers; got {got}. "
        "Number the values of each column with numpy.unique(column, return_inverse=True)."
    )


def _not_finite(value: object, name: str, k: int) -> ValueError:
    return ValueError(f"`{name}` must be finite; got {value} in column {k}.")


def is_whole(column: Column) -> bool:
    """Whether a column of an exact table holds integers; the others are continuous."""
    if column.dtype.kind == "O":
        return all(v == int(v) for v in column)
    return column.dtype.kind != "f" or bool((np.trunc(column) == column).all())


def labels(column: Column, k: int) -> Int[np.ndarray, " points"]:
    """The values of a whole column numbered from 0, in their order."""
    if not is_whole(column):
        value = next(v for v in column.tolist() if v != int(v))
        rule = f"`factors` must hold integers for this score; got {value} in column {k}."
        raise ValueError(f"{rule} Put a continuous factor into numbered bins first.")
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def numbers(column: Column, k: int) -> Float[np.ndarray, " points"]:
    """A column as floats from 0 to at most 1, for uses where neither shift nor scale matters.

    Counted from the least, large integers do not merge, and a time stamp keeps its digits where a
    library takes float32. Over too wide a range the values are numbered.
    """
    values, index = np.unique(column, return_inverse=True)
    exact = values.tolist()
    if is_whole(values) and max(abs(exact[0]), abs(exact[-1])) > EXACT_FLOAT:
        exact = [int(v) - int(exact[0]) for v in exact]
    try:
        floats = _scaled(np.array([float(v) for v in exact]))
    except OverflowError:
        floats = np.zeros(len(exact))
    shifted = _scaled(floats - floats[0])
    found = [column for column in (shifted, floats) if (np.diff(column) > 0).all()]
    return (found[0] if found else np.arange(len(exact), dtype=np.float64))[index]


def _scaled(values: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
    return np.ldexp(values, -np.frexp(np.abs(values).max())[1])


def labels_or_numbers(column: Column, k: int) -> Column:
    """A whole column numbered, which makes its values classes; another as floats."""
    return (labels if is_whole(column) else numbers)(column, k)


Read = Callable[[Column, int], Column]


def joined(above: Column, below: Column) -> Column:
    """Two parts of one column, none of their values rounded."""
    if np.result_type(above, below).kind == "f" and above.dtype.kind != below.dtype.kind:
        above, below = above.astype(object), below.astype(object)
    return np.concatenate([above, below])


def read_column(column: Column, k: int, read: Read, fitted: Any = slice(None)) -> Column:  # noqa: ANN401
    """A factor as `read` makes it; the values of the points `fitted` must be fit for a score."""
    found, column = read(column, k), column[fitted]
    if (column == column[0]).all():
        raise ValueError(
            "`factors` must have at least 2 values in each column of the points used to fit; "
            f"got only {column[0]} in column {k}. Leave that column out."
        )
    if read is not numbers and has_too_many(column):
        raise ValueError(
            "`factors` must have two points for each value on average, and at most "
            f"{MOST_VALUES:,} values; got {len(np.unique(column))} values in {len(column)} points "
            f"in column {k}. Leave out a column that numbers the rows, put another into numbered "
            "bins, or encode more points."
        )
    return found


def has_too_many(column: Column) -> bool:
    """Whether a whole column has too many values to count: above half its points, or 1,000."""
    num_values = len(np.unique(column)) if is_whole(column) else 0
    return num_values > min(MOST_VALUES, len(column) / 2)


def constant_factors(factors: Exact) -> list[int]:
    """Columns with a single value."""
    return np.flatnonzero(np.all(factors == factors[:1], axis=0)).tolist()
