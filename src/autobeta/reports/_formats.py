"""A table with marks as HTML, CSV, Markdown and LaTeX."""

import base64
import csv
import html
import io
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from autobeta.run.out import spreadsheet_cell

Cells = list[list[str | int | float]]


class MarkedCell(NamedTuple):
    """A cell of a table.

    Args:
        text: What is shown.
        value: Its number, unrounded; rows are sorted by it.
        marks: What holds of it: best, second, like the best, untested.
        more: Further numbers of it by name, such as its deviation, for a CSV.
    """

    text: str
    value: float | None = None
    marks: tuple[str, ...] = ()
    more: tuple[tuple[str, float | None], ...] = ()


class MarkedTable(NamedTuple):
    """A table of runs or of groups of them; the first cell of a row is its label.

    Of one that is `turned` each column is a run or a group, and it is these that can be sorted.
    """

    headings: list[str]
    cells: list[list[MarkedCell]]
    caption: str = ""
    notice: str = ""
    turned: bool = False


def to_html(table: MarkedTable, *, name: str = "numbers") -> str:
    """The table as HTML that a script may sort, with its numbers as a CSV called `name`.

    Cells have their headings, for narrow screens.
    """
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.headings)
    body = ""
    for first, *others in table.cells:
        cells = ""
        for heading, cell in zip(table.headings[1:], others, strict=True):
            label = f'data-label="{html.escape(heading)}"'
            cells += f"<td {label}{_value(cell)}>{_html(cell)}</td>"
        label = html.escape(first.text)
        body += f'<tr><th scope="row"{_value(first)}>{label}</th>{cells}</tr>\n'
    notice = f'<p class="notice">{html.escape(table.notice)}</p>\n' if table.notice else ""
    caption = f"{html.escape(table.caption)} {csv_link(_columns(table), name)}".strip()
    kind = "sortable turned" if table.turned else "sortable"
    return (
        f'<div class="wide"><table class="{kind}"><caption>{caption}'
        f"</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
        f"{notice}"
    )


def csv_link(numbers: Cells, name: str) -> str:
    """A link that saves numbers, headings first, as a CSV file."""
    uri = "data:text/csv;base64," + base64.b64encode(to_csv(numbers)).decode()
    return f'<a download="{html.escape(name)}.csv" href="{uri}">Numbers (CSV)</a>'


def to_csv(numbers: Cells) -> bytes:
    """Rows as CSV, unrounded; what is not a number stays blank.

    A text that a spreadsheet would take for a formula, such as a folder's name, is quoted for it.
    """
    text = io.StringIO()
    rows = [[spreadsheet_cell(cell) for cell in row] for row in numbers]
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _columns(table: MarkedTable) -> Cells:
    """Headings and rows; a column is followed by what more its cells tell."""
    columns: Cells = []
    for place, heading in enumerate(table.headings):
        name = _named(heading)
        cells = [row[place] for row in table.cells]
        numbers = [_number(cell) for cell in cells]
        columns.append([name, *(_named(n) if place == 0 else n for n in numbers)])
        known = [key for cell in cells for key, n in cell.more if n is not None]
        for more in dict.fromkeys(known):
            found = [dict(cell.more).get(more) for cell in cells]
            columns.append([f"{name}, {more}", *("" if n is None else n for n in found)])
    return [list(row) for row in zip(*columns, strict=True)]


def _named(heading: Any) -> Any:  # noqa: ANN401 - the first column has numbers or headings
    return re.sub(" [↑↓]", "", heading) if isinstance(heading, str) else heading


def _number(cell: MarkedCell) -> str | int | float:
    known = cell.value is not None and math.isfinite(cell.value)
    return cell.value if known and cell.value is not None else cell.text


def _value(cell: MarkedCell) -> str:
    """The number of a cell for a script; one without a bound is the last."""
    if cell.value is None:
        return ""
    return f' data-value="{cell.value if math.isfinite(cell.value) else "Infinity"!s}"'


def _html(cell: MarkedCell) -> str:
    return _wrapped(cell, html.escape(cell.text), "<b>{}</b>", "<u>{}</u>", "\u00a0≈")


def to_markdown(table: MarkedTable) -> str:
    """The table as Markdown; HTML underlines, since Markdown can't."""

    def line(texts: Sequence[str]) -> str:
        return f"| {' | '.join(texts)} |\n"

    head = line([_markdown(text) for text in table.headings])
    rule = line(["---", *["---:"] * (len(table.headings) - 1)])
    body = ""
    for row in table.cells:
        body += line([_wrapped(c, _markdown(c.text), "**{}**", "<u>{}</u>", " ≈") for c in row])
    said = f"\n{_markdown(table.notice)}\n" if table.notice else ""
    return f"{_markdown(table.caption)}\n\n{head}{rule}{body}{said}"


def to_latex(table: MarkedTable) -> str:
    r"""The table as LaTeX; it needs `\usepackage{booktabs}`."""

    def line(texts: Sequence[str]) -> str:
        return " & ".join(texts) + " \\\\\n"

    body = ""
    for row in table.cells:
        body += line(
            [
                _wrapped(c, _latex(c.text), r"\textbf{{{}}}", r"\underline{{{}}}", r" $\approx$")
                for c in row
            ]
        )
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{_latex(_both(table))}}}\n"
        f"\\begin{{tabular}}{{l{'r' * (len(table.headings) - 1)}}}\n\\toprule\n"
        f"{line([_latex(text) for text in table.headings])}\\midrule\n{body}"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def _both(table: MarkedTable) -> str:
    return f"{table.caption} {table.notice}".rstrip()


def _wrapped(cell: MarkedCell, text: str, best: str, second: str, like: str) -> str:
    text = best.format(text) if "best" in cell.marks else text
    text = second.format(text) if "second" in cell.marks else text
    text += like if "like" in cell.marks else ""
    return text + (" ?" if "untested" in cell.marks else "")


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]~#])", r"\\\1", text)


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\u00a0": "~",
    "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "≈": r"$\approx$", "×": r"$\times$",
    "β": r"$\beta$", "γ": r"$\gamma$", "[": "{[}", "]": "{]}",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
