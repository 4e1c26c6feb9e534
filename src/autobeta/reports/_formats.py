"""A table with marks as HTML, Markdown and LaTeX."""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple


class MarkedCell(NamedTuple):
    """A cell's text, its number, and what holds of it: best, second, like the best, untested."""

    text: str
    value: float | None = None
    marks: tuple[str, ...] = ()


class MarkedTable(NamedTuple):
    """A table of groups on one data set; the first cell of a row is its label."""

    headings: list[str]
    cells: list[list[MarkedCell]]
    caption: str
    notice: str = ""


def to_html(table: MarkedTable) -> str:
    """The table as HTML that a script may sort; cells have their headings for narrow screens."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.headings)
    body = ""
    for first, *others in table.cells:
        cells = ""
        for heading, cell in zip(table.headings[1:], others, strict=True):
            value = "" if cell.value is None else f' data-value="{cell.value!r}"'
            cells += f'<td data-label="{html.escape(heading)}"{value}>{_html(cell)}</td>'
        body += f'<tr><th scope="row">{html.escape(first.text)}</th>{cells}</tr>\n'
    notice = f'<p class="notice">{html.escape(table.notice)}</p>\n' if table.notice else ""
    return (
        f'<div class="wide"><table class="sortable"><caption>{html.escape(table.caption)}'
        f"</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
        f"{notice}"
    )


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


_LATEX_MARKS = (r"\textbf{{{}}}", r"\underline{{{}}}", r" $\approx$")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
