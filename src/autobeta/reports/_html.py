"""What the pages about runs and about a study share: their frame, contents, figures and lists."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path, PurePath
from typing import Any

from autobeta.errors import printable
from autobeta.reports._read import flatten, grouped
from autobeta.reports._style import short

_HEADING = re.compile(r"<h([23])>(.*?)</h\1>")
_HASH = re.compile(r"'sha256-[\w+/=]+'")


def document(title: str, body: str, *, inside: str = "", renew: float | None = None) -> str:
    """A whole page: its title, a contents list of the headings in its body, the body, its script.

    It fetches nothing, and a policy in it forbids to; what the policy of a page `inside` it allows
    is allowed too. With `renew` an open page loads itself again every so many seconds, and stays
    where it was.
    """
    style, script = (_source(name) for name in ("style.css", "report.js"))
    theirs = _HASH.findall(inside.partition("<style>")[0])
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src {' '.join([digest(style), *theirs])};"
        f" script-src {' '.join([digest(script), *theirs])}"
    )
    contents, body = _with_contents(body)
    again = renewed = ""
    if renew is not None:
        again = f' data-renew="{renew:g}"'
        renewed = f'<noscript><meta http-equiv="refresh" content="{renew:g}"></noscript>\n'
    return (
        f'<!DOCTYPE html>\n<html lang="en"{again}>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n{renewed}</head>\n"
        f'<body class="report">\n<header><h1>{html.escape(title)}</h1></header>\n'
        f"{contents}<main>\n{body}</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def digest(text: str) -> str:
    """What a Content-Security-Policy knows an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_script_json(value: object) -> str:
    r"""JSON that may stand inside a script element: no character of it can end that.

    Example:
        >>> as_script_json("</script>")
        '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _with_contents(body: str) -> tuple[str, str]:
    """A list of links to the headings of a page, and the page with their targets."""
    names: dict[str, int] = {}
    links = ""

    def target(found: re.Match[str]) -> str:
        nonlocal links
        level, text = found.groups()
        name = slug(html.unescape(text))
        names[name] = names.get(name, 0) + 1
        name += f"-{names[name]}" if names[name] > 1 else ""
        shown = html.escape(short(html.unescape(text), 2.2))
        links += f'<li class="level{level}"><a href="#{name}" title="{text}">{shown}</a></li>\n'
        return f'<h{level} id="{name}">{text}</h{level}>'

    body = _HEADING.sub(target, body)
    return (
        '<nav class="contents" aria-label="Contents"><details open><summary>Contents</summary>\n'
        f"<ul>\n{links}</ul></details></nav>\n"
    ), body


def slug(text: str) -> str:
    """The text as a part of a file's name, or as a place in a page.

    Example:
        >>> slug("mpi3d, variant=real")
        'mpi3d-variant-real'
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:80] or "data"


def slugs(texts: Iterable[str]) -> dict[str, str]:
    """A slug for each text, numbered where another one has it.

    Example:
        >>> slugs(["cat", "顔", "猫"])
        {'cat': 'cat', '顔': 'data', '猫': 'data-2'}
    """
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        name = slug(text)
        names = (f"{name}-{number}" if number > 1 else name for number in count(1))
        found[text] = next(name for name in names if name not in found.values())
    return found


def picture(
    uri: str,
    title: str,
    text: str,
    said: str,
    *,
    name: str,
    more: str = "",
    strip: Mapping[str, Any] | None = None,
) -> str:
    """A picture with its caption.

    Args:
        uri: The picture.
        title: Title of the caption.
        text: Text of the caption.
        said: What it shows, for those who can't see it.
        name: Name of its file when it is saved, without ending.
        more: HTML at the caption's end.
        strip: Where its images are, for sliders; see `pictures.strip`.
    """
    caption = f"<figcaption><b>{html.escape(title)}.</b> {html.escape(text)}{more}</figcaption>"
    facts = f' data-strip="{html.escape(json.dumps(strip))}"' if strip else ""
    facts += ' class="drawn"' if uri.startswith("data:image/svg") else ""
    return (
        f'<figure data-name="{html.escape(slug(name))}"{facts}>'
        f'<img src="{uri}" alt="{html.escape(said)}">{caption}</figure>\n'
    )


def open_runs(runs: Iterable[tuple[str, int, int, str]]) -> str:
    """A list of runs that go on: name, step, of how many steps, and a word on each."""
    items = ""
    for name, step, steps, said in runs:
        share = step / steps if steps else 0.0
        items += (
            f'<li><b>{html.escape(name)}</b> <progress max="{steps}" value="{step}"></progress> '
            f"<span>step {step:,} of {steps:,} ({share:.0%}){html.escape(said)}</span></li>\n"
        )
    return f'<ul class="open">\n{items}</ul>\n' if items else ""


def explorer_part(shown: str) -> str:
    """A link to an explorer, or an explorer's whole page inside this one."""
    if not shown.startswith("<!DOCTYPE html>"):
        return f'<p class="explorer"><a href="{html.escape(shown)}">Explorer</a>: sliders.</p>\n'
    return (
        "<h2>Explorer</h2>\n<details><summary>Move the sliders of the trained models</summary>\n"
        f'<iframe title="Explorer" loading="lazy" srcdoc="{html.escape(shown)}"></iframe>'
        "</details>\n"
    )


def sentences(said: Iterable[tuple[str, str]]) -> str:
    """A list of sentences about runs, by name; runs of which the same is said share an item."""
    about = grouped((sentence, name) for name, sentence in said)
    joined = grouped((", ".join(names), sentence) for sentence, names in about.items())
    items = (f"<li><b>{_text(n)}</b>: {_text(' '.join(s))}</li>" for n, s in joined.items())
    return f"<ul>{''.join(items)}</ul>\n" if joined else ""


def _text(text: str) -> str:
    """A text as HTML; what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def details(title: str, settings: dict[str, Any]) -> str:
    """All settings; of a path only the last name, since the page may go elsewhere."""
    items = ""
    for key, value in flatten(settings).items():
        shown = PurePath(value).name if value.startswith("/") else value
        items += f"<dt>{html.escape(printable(key))}</dt><dd>{html.escape(printable(shown))}</dd>"
    return f"<details><summary>{title}</summary><dl>{items}</dl></details>\n"
