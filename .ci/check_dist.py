"""What must be in sdist and wheel, what must not, and that no file of them is large."""

import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST = 300_000  # bytes of one file
IN_BOTH = ("autobeta/__init__.py", "autobeta/py.typed", "autobeta/reports/style.css")
IN_SDIST = (
    *("pyproject.toml", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile"),
    *("constraints.txt", "constraints-min.txt", "Containerfile", "docs/index.md"),
    *("benchmarks/train_step.py", "reproductions/claims/analyse.py"),
    *("examples/quickstart.py", "tests/conftest.py", "tests/reference/runs-0.1.0.tar.xz"),
)


def main(folder: Path) -> None:
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        sizes = {m.name.partition("/")[2]: m.size for m in archive.getmembers() if m.isfile()}
    missing = [name for name in IN_SDIST if name not in sizes]
    missing += [name for name in IN_BOTH if f"src/{name}" not in sizes]
    with zipfile.ZipFile(wheel) as archive:
        packed = {info.filename: info.file_size for info in archive.infolist()}
    missing += [name for name in (*IN_BOTH, "autobeta/pages/data.md") if name not in packed]
    assert not missing, f"not packed: {missing}"
    foreign = [n for n in packed if not n.startswith(("autobeta/", "autobeta-"))]
    assert not foreign, f"in the wheel: {foreign}"
    large = {n: s for n, s in {**sizes, **packed}.items() if s > LARGEST}
    assert not large, f"larger than {LARGEST:,} bytes: {large}"
    print(f"{sdist.name}: {len(sizes)} files; {wheel.name}: {len(packed)} files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
