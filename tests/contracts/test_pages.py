"""Each block of Python on the pages about methods, weightings and loops, pasted alone."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("concepts", "control", "extending", "plug-in", "your-own-loop")
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(
            r"^```python\n(.*?)^```$", (DOCS / f"{page}.md").read_text("utf-8"), re.M | re.S
        )
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs_alone(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "pasted"}
    exec(compile(block, "pasted", "exec"), names)
    assert "autobeta" in block
