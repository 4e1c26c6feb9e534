"""What README.md and docs/ show runs as it stands, on toy data: Python blocks and commands."""

import json
import math
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from autobeta import cli, load_run, registry
from autobeta.run.folder import read_log
from autobeta.study.launchers import local
from autobeta.study.worker import carry_out

ROOT = Path(__file__).parents[1]


def script_of(page):
    """A page's Python blocks as one script; all else becomes blank, so line numbers stay."""
    language, lines = None, []
    for line in page.read_text("utf-8").splitlines():
        fence = line.startswith("```")
        lines.append(line if language == "python" and not fence else "")
        if fence:
            language = (line[3:] or "text") if language is None else None
    return "\n".join(lines)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


ALONE = (
    "concepts",
    "control",
    "extending",
    "plug-in",
    "your-own-loop",
)  # see contracts/test_pages.py
TUTORIAL = ROOT / "docs" / "tutorial.md"  # whose blocks go on from one another
ALL = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_HERE = [TUTORIAL, *(ROOT / "docs" / f"{name}.md" for name in ALONE)]
PAGES = [page for page in ALL if script_of(page).strip() and page not in NOT_HERE]


@pytest.mark.whole
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path / "data"))
    names = {"__name__": "example"}
    exec(compile(script_of(page), str(page), "exec"), names)
    modules = [str(getattr(value, "__module__", value)) for value in names.values()]
    assert any("autobeta" in module for module in modules), "the page shows nothing of autobeta"


def commands_of(page):
    """The calls of `autobeta` in a page's shell blocks, without comments and line breaks."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("autobeta ")]


SHELL_PAGES = [page for page in ALL if commands_of(page) and page != TUTORIAL]

# A command runs as it stands but for these: what takes long is made small. dsprites and scenes3d,
# which take half a minute and minutes to render, are replaced by toy.
SHORT = {
    **{"--image-size": "32", "--architecture": "burgess", "--batch-size": "8", "--steps": "12"},
    **{"--threads": "1", "--log-every": "4"},
}
SMALLER = {
    "train": {**SHORT, "--num-points": "120", "--metrics": "gaussian_total_correlation"},
    "suggest": {**SHORT, "--steps": "200", "--log-every": "1", "--lr": "0.002"},
    "evaluate": {"--num-points": "120"},
    "score": {"--metrics": "mig"},
    "export": {"--format": "safetensors"},  # as quick as it gets; see run/test_export.py
}


def smaller(command):
    """The arguments of a command, with what takes long made small, and patterns expanded."""
    args = ["toy" if arg in ("dsprites", "scenes3d") else arg for arg in command[1:]]
    if "--help" in args:
        return args
    if args[:2] == ["study", "run"]:
        return smaller_study(args)
    if args[0] == "train" and "--data" not in args and "--config" not in args:
        args += ["--data", "toy"]
    again = "evaluate" if "--config" in args else args[0]  # the file has the other settings
    for flag, value in SMALLER.get(again, {}).items():
        if flag in args:
            args[args.index(flag) + 1] = value
        else:
            args += [flag, value]
    found = {arg: sorted(map(str, Path().glob(arg))) for arg in args if "*" in arg}
    return [name for arg in args for name in found.get(arg, [arg])]


def smaller_study(args):
    """A study of two short runs in place of the methods, data and steps that it asks for."""
    few = {"--methods": "vae", "--data": "toy", "--seeds": "0-1", "--steps": "3"}
    few |= {"--metrics": "gaussian_total_correlation"}
    kept, skipping = [], False
    for arg in args:
        elsewhere = arg.startswith(("--launcher", "--ray.", "--slurm."))
        dropped = elsewhere or arg in (*few, "--scale")
        skipping = dropped or (skipping and not arg.startswith("--"))
        kept += [] if skipping else [arg]
    return [*kept, *(word for item in few.items() for word in item)]


def users_files(folder):
    """What stands for the user's own: a folder of photographs, and a saved data set of them."""
    datasets = pytest.importorskip("datasets")
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)) for _ in range(40)]
    (folder / "photos").mkdir()
    for name, picture in zip(["cat", *map(str, range(1, 40))], pictures, strict=True):
        picture.save(folder / "photos" / f"{name}.png")
    (folder / "study.toml").write_text('methods = ["vae"]\ndata = ["toy"]\n')
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"image": pictures}).save_to_disk(folder / "saved_set")


def has_gains_of_its_own(run):
    config = json.loads((run / "config.json").read_text())
    return config["method_config"]["controller"] != "selftuning"


def follow_the_set_point(run):
    """Replace the log of a run, too short to learn, by that of a network that follows."""
    level, rows = 0.0, []
    for step in range(1, 4001):
        target = float(step // 400)
        level += (1 - math.exp(-1 / 50)) * (target - level)
        if step % 10 == 0:
            numbers = {"kl_average": level, "target": target, "beta": math.exp(-target / 7)}
            terms = {"reconstruction": 100.0, "kl": level}
            lists = {"terms": terms, "weights": {}, "kl_per_latent": [level], "state": {}}
            rows.append({"step": step, "loss": 100.0, **numbers, **lists})
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def within(study, names, options, *, workers, told):
    """In place of the launcher's processes, whose start takes longer than these runs."""
    for name in names:
        told(name, *carry_out(study, name))


def interrupt(seconds):
    raise KeyboardInterrupt


def no_network(*args, **options):
    raise OSError("there is no network")


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore::UserWarning")  # of schedules that a small run cuts short
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.stem == "launchers" else [])
        for page in SHELL_PAGES
    ],
    ids=name_of,
)
def test_commands_run_in_the_order_in_which_they_stand(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    monkeypatch.setattr(local, "launch", within)
    monkeypatch.setattr("autobeta.reports.watch.sleep", interrupt)
    users_files(tmp_path)
    for command in commands_of(page):
        args = smaller(command)
        if args[0] == "control" and has_gains_of_its_own(Path(args[1])):
            follow_the_set_point(Path(args[1]))
        try:
            status = cli.main(args)
        except SystemExit as left:
            status = left.code
        out, said = capsys.readouterr()
        assert args[0] != "control" or "gain margin" in out
        fetching = args[:2] in (["data", "prepare"], ["data", "verify"]) or args[0] == "push"
        if status == 1 and fetching:
            # the published file, or the Hub, is not at hand: the message must be about the one
            # that was named
            named = {PurePath(arg).name for arg in args}
            assert named & set(re.findall(r"[\w-]+(?:\.[\w-]+)*", said)), said
        else:
            assert status == (130 if "--watch" in args else 0), (args, said)


def photographs(folder):
    """Two classes of photographs: a bright square that is red in one and blue in the other."""
    rng = np.random.default_rng(0)
    for colour, name in ((0, "indoors"), (2, "outdoors")):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 60, (40, 48, 3), np.uint8)
            row, column = rng.integers(4, 24, 2)
            pixels[row : row + 12, column : column + 12, colour] += 190
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore::UserWarning")  # of a small pilot and its schedule
def test_the_tutorial_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "photos")
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.M | re.S)
    names = {"__name__": "tutorial"}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, str(TUTORIAL), "exec"), names)
        else:
            for line in block.replace("\\\n", " ").splitlines():
                args = smaller(shlex.split(line, comments=True))
                assert cli.main(args) == 0, (args, capsys.readouterr())
    assert {language for language, _ in blocks} == {"sh", "python"}
    assert names["found"].codes.shape == (40, 10)
    assert (tmp_path / "explorer.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.whole
def test_quickstart_writes_a_report_and_does_nothing_twice(tmp_path, capsys):
    main = runpy.run_path(str(ROOT / "examples" / "quickstart.py"))["main"]
    arguments = ["--data", "toy", "--steps", "3", "--num-points", "150", "--out", str(tmp_path)]
    report = tmp_path / "report.html"
    for _ in range(2):
        assert main(arguments) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(report)
    assert 'href="explorer.html"' in report.read_text("utf-8")
    assert "Explorer of 3 runs" in (tmp_path / "explorer.html").read_text("utf-8")
    for method in ("vae", "dynamicvae", "lvae"):
        timing = tmp_path / f"{method}-toy-3" / "timing.jsonl"
        assert len(timing.read_text().splitlines()) == 3


def test_pages_show_the_examples_as_they_are():
    page = (ROOT / "docs" / "plug-in.md").read_text("utf-8")
    shown = re.findall(r"^`examples/([\w/.]+)`:\n\n```\w+\n(.*?)^```$", page, re.M | re.S)
    own = {path.name for path in (ROOT / "examples").glob("own_*.py")}
    assert {name for name, _ in shown} == own | {"loader_loop.py", "own_method/pyproject.toml"}
    for name, code in shown:
        assert code == (ROOT / "examples" / name).read_text("utf-8"), name
    method = (ROOT / "examples" / "own_method" / "autobeta_warmup.py").read_text("utf-8")
    assert f"```python\n{method}```" in (ROOT / "docs" / "extending.md").read_text("utf-8")
    assert all(len(code.splitlines()) <= 40 for code in [method, *dict(shown).values()])


def test_a_loader_is_enough_for_a_loop_of_ones_own():
    main = runpy.run_path(str(ROOT / "examples" / "loader_loop.py"))["main"]
    scores = main(data="toy", steps=5, workers=1)
    assert set(scores) == {"mig[bins=20]", "sap"}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package of examples/ beside ours; gives the path for processes of their own."""
    site, modules = tmp_path / "site", []

    def install(folder):
        shutil.copytree(ROOT / "examples" / folder, tmp_path / "source")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        command += ["--no-build-isolation", "--target", str(site), str(tmp_path / "source")]
        subprocess.run(command, check=True, timeout=120)
        modules.extend(path.stem for path in site.glob("*.py"))
        monkeypatch.syspath_prepend(str(site))
        registry._outside.cache_clear()
        return os.pathsep.join([str(site), *sys.path])

    yield install
    registry._outside.cache_clear()
    for name in modules:
        sys.modules.pop(name, None)


FEW = ["--data", "toy", "--steps", "4", "--architecture", "mlp", "--batch-size", "8"]
FEW += ["--log-every", "1", "--num-points", "50", "--metrics", "mig"]


@pytest.mark.whole
def test_a_package_outside_adds_a_method_that_is_listed_and_trained(installed, tmp_path, capsys):
    path = installed("own_method")
    listing = [sys.executable, "-m", "autobeta", "list", "methods"]
    env = {**os.environ, "PYTHONPATH": path}
    listed = subprocess.run(listing, env=env, capture_output=True, text=True, check=True).stdout
    assert "KL warm-up: the weight of the KL rises" in listed
    run = tmp_path / "run"
    command = ["train", "warmup", "--method.warmup", "4", *FEW, "--out", str(run)]
    assert cli.main(command) == 0
    assert [row["beta"] for row in read_log(run)] == [0.0, 0.25, 0.5, 0.75]
    assert load_run(run).config.method_config.warmup == 4
    assert cli.main(["cite", "warmup"]) == 0
    assert "bowman2016generating" in capsys.readouterr().out


@pytest.mark.whole
def test_rate_annealing_is_a_package_that_trains_and_resumes(installed, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", "rateanneal", *FEW, "--out", str(run)]
    assert cli.main(command) == 1
    assert "`methods` has no 'rateanneal'" in capsys.readouterr().err
    installed("rateanneal")
    assert cli.main(command) == 0
    rows = read_log(run)
    assert rows[0]["beta"] == pytest.approx(50, rel=0.1)
    assert "weighting.pace.target" in rows[-1]["state"]
    assert load_run(run).config.method_config.growth == 65.0


LOOPS = {"plain": ("steps", 60), "lightning": ("epochs", 8), "accelerate": ("steps", 60)}


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")  # of the other libraries, about each other
@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_others_hold_the_controller_and_resume(name, tmp_path, monkeypatch):
    if name != "plain":
        pytest.importorskip(name)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(ROOT / "examples" / f"{name}_loop.py"))["main"]
    length, whole = LOOPS[name]
    betas = main(tmp_path / "whole", **{length: whole})
    first = main(tmp_path / "parts", **{length: whole // 2})
    second = main(tmp_path / "parts", **{length: whole})
    assert first + second == betas
    assert len(second) == len(first) > 20
    assert betas[-1] < betas[0] < 50  # KL is below its target, so beta falls
