import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from autobeta import EvaluationConfig, RunConfig, TrainConfig, train
from autobeta.run import folder as files
from autobeta.run import train as runs
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit, machine
from autobeta.training.forward import narrow

CPU = torch.device("cpu")
FEW = EvaluationConfig(num_points=40, metrics=(), num_pictures=4)


def small(**settings):
    usual = {"steps": 4, "batch_size": 8, "log_every": 2, "device": "cpu"}
    return RunConfig(method="vae", data="toy", train=TrainConfig(**usual | settings))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat")
def test_a_busy_process_takes_a_core():
    if machine.cpu_count() < 2 or machine.free_cores() < 2:
        pytest.skip("the machine is busy already, or has one core")
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        time.sleep(0.2)
        found = machine.free_cores(0.5)
        busy.kill()
    assert found < machine.cpu_count()


def test_where_nothing_is_known_all_usable_cores_are_free(monkeypatch):
    monkeypatch.setattr(machine, "_idle_time", lambda: None)
    assert machine.free_cores() == machine.cpu_count()


@pytest.mark.parametrize(("idle", "expected"), [(0.0, 1), (1.04, 1), (1.6, 2), (3.9, 4), (40, 8)])
def test_free_cores_are_those_that_idle(monkeypatch, idle, expected):
    now = iter([0.0, 0.1])
    idled = iter([5.0, 5.0 + 0.1 * idle])
    monkeypatch.setattr(machine, "cpu_count", lambda: 8)
    monkeypatch.setattr(machine, "_idle_time", lambda: next(idled))
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(machine.time, "sleep", lambda seconds: None)
    assert machine.free_cores() == expected


@pytest.mark.whole
def test_a_resumed_run_has_the_threads_it_was_begun_with(tmp_path, monkeypatch):
    seen = []

    def of(threads):
        return {"callbacks": [lambda row, rate: seen.append(torch.get_num_threads())]}

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        monkeypatch.setattr(runs, "free_cores", lambda: 2)
        train(small(), tmp_path / "run", evaluation=FEW, **of(2))
        assert set(seen) == {2}
        assert files.read_json(tmp_path / "run" / files.ENVIRONMENT)["threads"] == 2
        monkeypatch.setattr(runs, "free_cores", lambda: 1)
        longer = small(steps=8)
        seen.clear()
        train(longer, tmp_path / "run", evaluation=FEW, extend=True, **of(2))
        assert set(seen) == {2}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("text", [None, "{", '{"threads": "many"}', '{"threads": 0}'])
def test_unknown_threads_are_no_obstacle(tmp_path, text):
    if text is not None:
        (tmp_path / files.ENVIRONMENT).write_text(text)
    assert runs._kept_threads(tmp_path) is None


@pytest.mark.whole
def test_memory_is_kept_under_glibc():
    found = subprocess.run(
        [sys.executable, "-c", "from autobeta.training.machine import keep_freed_memory as k;"
         "print(k(), k())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {})
    assert found.stdout.split() == [str(glibc)] * 2


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    assert machine.keep_freed_memory.__wrapped__() is False


def test_the_spin_is_short_unless_the_user_says_otherwise():
    ask = "import os, autobeta; print(os.environ.get('GOMP_SPINCOUNT'))"
    for given, expected in (
        ({}, "2000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ):
        clean = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
        clean.pop("OMP_WAIT_POLICY", None)
        done = subprocess.run(
            [sys.executable, "-c", ask], env=clean | given, capture_output=True, text=True
        )
        assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"avx2": True}, "float32"),
    ],
)
def test_the_quickest_precision_is_what_the_processor_multiplies(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert machine.quickest_precision(CPU) == expected
    config = small(precision="auto")
    assert build(config, Objects()).config.train.precision == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((9, 0), "bfloat16")])
def test_the_quickest_precision_on_cuda(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert machine.quickest_precision(torch.device("cuda")) == expected
    assert machine.quickest_precision(torch.device("mps")) == "float32"


def test_auto_is_resolved_in_the_folder_and_kept_on_another_machine(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr("autobeta.run.build.quickest_precision", lambda device: "bfloat16")
    train(small(precision="auto"), folder, evaluation=FEW)
    assert files.read_config(folder)["train"]["precision"] == "bfloat16"
    monkeypatch.setattr("autobeta.run.build.quickest_precision", lambda device: "float32")
    run = train(small(precision="auto"), folder, evaluation=FEW)
    assert run.config.train.precision == "bfloat16"
    with pytest.raises(ValueError, match=r"train\.precision: 'bfloat16' there, 'float32' asked"):
        train(small(precision="float32"), folder, evaluation=FEW)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"CXX": "", "which": None}, r"found no g\+\+ or clang\+\+"),
        ({"include": "/nowhere"}, r"found no Python's headers \(Python\.h\)"),
    ],
)
def test_compile_is_refused_before_the_folder_is_claimed(tmp_path, monkeypatch, missing, message):
    if "which" in missing:
        monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    if "include" in missing:
        monkeypatch.setattr(machine.sysconfig, "get_path", lambda name: missing["include"])
    with pytest.raises(ValueError, match=message):
        train(small(compile=True), tmp_path / "run", evaluation=FEW)
    assert not (tmp_path / "run").exists()


def test_compile_needs_no_compiler_on_cuda(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    machine.check_compiler(torch.device("cuda"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what torch says of itself
def test_a_compiled_run_is_the_same_run(tmp_path):
    try:
        machine.check_compiler(CPU)
    except ValueError as error:
        pytest.skip(str(error))
    config = small(steps=6)
    compiled = replace(config, train=replace(config.train, compile=True))
    logs = []
    for given in (config, compiled):
        torch.manual_seed(0)
        state = build(given, Objects()).state
        logs.append(fit(state, given.train))
        assert not any("_orig_mod" in name for name in state.model.state_dict())
    for a, b in zip(*logs, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
    assert json.dumps(logs[1])


def kept_denormals(count=1 << 20):
    """Share of denormal numbers that an operation keeps, in all threads of torch together."""
    return torch.full((count,), 1e-39).mul(0.5).ne(0).double().mean().item()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    assert kept_denormals() == 1  # and both have begun
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="OpenMP as torch has it there")
@pytest.mark.usefixtures("two_threads")
def test_denormals_are_zero_in_all_threads_and_kept_again_afterwards():
    with machine.denormals_as_zero():
        assert kept_denormals() == 0
        with machine.denormals_as_zero():
            assert kept_denormals() == 0
        assert kept_denormals() == 0  # as before, which was zero
    assert kept_denormals() == 1


def test_denormals_are_zero_where_torch_has_no_openmp(monkeypatch):
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda path: object())
    with machine.denormals_as_zero():
        assert kept_denormals(8) == 0
    assert kept_denormals(8) == 1


def test_denormals_are_zero_while_a_run_is_trained_and_kept_after_an_error():
    seen = []
    state = build(small(), Objects()).state
    fit(state, small().train, callbacks=[lambda row, rate: seen.append(kept_denormals(8))])
    assert seen == [0, 0]
    assert kept_denormals(8) == 1

    def fails(row, rate):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fit(build(small(), Objects()).state, small().train, callbacks=[fails])
    assert kept_denormals(8) == 1


def test_auto_is_the_precision_that_the_machine_is_quick_in(monkeypatch):
    for quick, narrowed in (("bfloat16", True), ("float32", False)):
        monkeypatch.setattr(
            "autobeta.training.forward.quickest_precision", lambda device, quick=quick: quick
        )
        with narrow("auto", CPU):
            assert torch.is_autocast_enabled("cpu") == narrowed
