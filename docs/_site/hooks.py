"""What the site needs beyond Markdown: formulas become MathML while it is built.

A formula is a block fenced as ``math``, or inline in dollars and backticks, as GitHub reads them.
Browsers draw MathML themselves, so a page loads nothing for it and works from a file.
"""

import re

from latex2mathml.converter import convert
from mkdocs.structure.pages import Page

FORMULA = re.compile(
    r"^```math\n(?P<block>.*?)^```$|^```.*?^```$|\$`(?P<inline>[^`\n]+)`\$",
    re.MULTILINE | re.DOTALL,
)
PLACE = "xFORMULAx{}x"


def take_formulas(markdown: str) -> tuple[str, list[str]]:
    """Markdown with a mark in place of each formula, and the formulas as MathML."""
    formulas: list[str] = []

    def take(found: re.Match[str]) -> str:
        display = found.lastgroup
        if display is None:  # a block of code
            return found[0]
        formulas.append(convert(" ".join(found[display].split()), display=display))
        return PLACE.format(len(formulas) - 1)

    return FORMULA.sub(take, markdown), formulas


def on_page_markdown(markdown: str, *, page: Page, **others: object) -> str:
    """Take the formulas out before Markdown reads stars and underscores in them."""
    markdown, page.meta["formulas"] = take_formulas(markdown)
    return markdown


def on_page_content(html: str, *, page: Page, **others: object) -> str:
    """Put the formulas in, before the page is indexed for the search."""
    for number, formula in enumerate(page.meta["formulas"]):
        html = html.replace(PLACE.format(number), formula)
    return html
