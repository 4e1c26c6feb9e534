"""Two processes train one run: the same beta on both, and the training of one process."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import torch

from autobeta.run import folder as files

pytestmark = pytest.mark.whole

ARGUMENTS = (  # noqa: SIM905
    "--data toy --image-size 32 --architecture burgess --batch-size 16 --log-every 4 "
    "--checkpoint-every 8 --threads 1 --device cpu --num-points 60 --metrics mig"
).split()


def torchrun(*command, folder, processes=2):
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    return subprocess.run(
        [sys.executable, *launcher, *rendezvous, *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def train(method, out, *more, processes=2):
    command = ["-m", "autobeta", "train", method, *ARGUMENTS, *more, "--out", out]
    if processes == 1:
        command = [sys.executable, *map(str, command)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)
    return torchrun(*command, folder=out.parent, processes=processes)


def log(folder):
    return files.read_jsonl(folder / files.LOG)


@pytest.mark.parametrize("method", ["dynamicvae", pytest.param("lvae", marks=pytest.mark.slow)])
def test_two_processes_train_as_one_with_the_joint_batch(tmp_path, method):
    whole, joint = (tmp_path / name for name in ("whole", "joint"))
    assert train(method, whole, "--steps", "16", processes=1).returncode == 0
    done = train(method, joint, "--steps", "16")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is finished.") == 1  # one process prints
    for ours, theirs in zip(log(joint), log(whole), strict=True):
        for key in ("loss", "kl_average", "beta"):
            assert ours[key] == pytest.approx(theirs[key], rel=2e-4, abs=1e-5)
        assert ours["terms"] == pytest.approx(theirs["terms"], rel=2e-4, abs=1e-5)
        assert ours["kl_per_latent"] == pytest.approx(theirs["kl_per_latent"], rel=2e-3, abs=1e-5)
    metrics = [files.read_metrics(folder / files.METRICS) for folder in (joint, whole)]
    losses = [found["evaluation"]["train"]["reconstruction"] for found in metrics]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_two_processes_validate_and_stop_together(tmp_path):
    watched = [
        "--held-out",
        "0.01",
        "--validate-every",
        "2",
        "--keep-best",
        "--patience",
        "2",
        "--pictures-every",
        "8",
        "--evaluate-every",
        "4",
    ]
    # so low a rate that no ELBO is higher than the first
    watched += ["--lr", "1e-12", "--lr-schedule", "cosine", "--clip-grad", "5", "--steps", "40"]
    done = train("dynamicvae", tmp_path / "run", *watched)
    assert done.returncode == 0, done.stderr
    step = files.stopped_at(tmp_path / "run")
    lines = files.read_jsonl(tmp_path / "run" / files.VALIDATION)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert step == 6
    [line] = files.read_jsonl(tmp_path / "run" / files.EVALUATIONS)
    assert line["step"] == 4
    again = train("dynamicvae", tmp_path / "run", *watched)
    assert "is finished already" in again.stdout, again.stderr


SCRIPT = """
import json, sys
from dataclasses import replace
from pathlib import Path
import torch
import torch.distributed as dist
from autobeta import RunConfig, TrainConfig, ModelConfig, DataOptions
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit
from autobeta.training.ranks import joined

train = TrainConfig(steps=12, batch_size=16, log_every=3, device="cpu")
data = DataOptions(image_size=32)
model = ModelConfig(architecture="burgess")
config = RunConfig(method=sys.argv[1], data="toy", data_options=data, model=model, train=train)
half = replace(train, steps=6)
with joined() as ranks:
    def begun():
        torch.manual_seed(0)
        return build(config, Objects(), ranks).state
    def weights(state):
        return [p.double().sum().item() for p in state.model.parameters()]
    state = begun()
    fit(state, train)
    resumed = begun()
    fit(resumed, half, folder=Path("run"))
    dist.barrier()
    resumed = begun()
    fit(resumed, train, folder=Path("run"))
    assert weights(resumed) == weights(state)
    found = {
        "batch": next(begun().batches).sum().item(),
        "beta": state.weighting.state_dict().get("controller.beta", torch.zeros(())).item(),
        "weights": weights(state),
        "own": [v.double().sum().item() for v in state.weighting.state_dict().values()],
    }
    Path(f"rank{ranks.rank}.json").write_text(json.dumps(found))
threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not any("gloo" in name for name in threads), threads  # they would abort Python's exit
"""


@pytest.mark.parametrize(
    "method",
    [
        "dynamicvae",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("lvae", "factorvae")),
    ],
)
def test_ranks_have_other_images_and_the_same_beta_and_weights_to_the_bit(tmp_path, method):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "run").mkdir()
    done = torchrun("script.py", method, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    a, b = (json.loads((tmp_path / f"rank{i}.json").read_text()) for i in range(2))
    assert a.pop("batch") != b.pop("batch")
    assert a == b


ON_ONE_CARD = """
import json, os, sys
from pathlib import Path
import torch
import torch.distributed as dist
from autobeta import RunConfig, TrainConfig, ModelConfig, DataOptions
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import loop
from autobeta.training.graphs import GraphedForward
from autobeta.training.ranks import ALONE, Ranks

train = TrainConfig(steps=12, batch_size=16, log_every=3, device="cuda")
data = DataOptions(image_size=32)
model = ModelConfig(architecture="burgess")
config = RunConfig(
    method="dynamicvae", data="toy", data_options=data, model=model, train=train
)
backend, rank, size = sys.argv[1], int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group(backend)  # NCCL takes no card twice, gloo does
dist.all_reduce(torch.ones(1, device="cuda"))
made, make = [], loop.make_forward
loop.make_forward = lambda *args: made.append(make(*args)) or made[-1]
def trained(ranks):
    torch.manual_seed(0)
    state = build(config, Objects(), ranks).state
    log = loop.fit(state, train)
    assert isinstance(made[-1], GraphedForward) and not made[-1].refused
    return log[-1], [p.double().sum().item() for p in state.model.parameters()]
alone, _ = trained(ALONE)
if size == 1:
    joint, weights = alone, []
else:
    joint, weights = trained(Ranks(rank, size, 0))
found = {"weights": weights, "alone": alone["loss"], "joint": joint["loss"]}
Path(f"rank{rank}.json").write_text(json.dumps(found))
dist.destroy_process_group()
"""


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("backend", "processes"), [("gloo", 2), ("nccl", 1)])
def test_graphs_are_captured_beside_a_process_group(tmp_path, backend, processes):
    (tmp_path / "script.py").write_text(ON_ONE_CARD)
    done = torchrun("script.py", backend, folder=tmp_path, processes=processes)
    assert done.returncode == 0, done.stderr
    found = [json.loads((tmp_path / f"rank{i}.json").read_text()) for i in range(processes)]
    assert all(one["weights"] == found[0]["weights"] for one in found)
    assert found[0]["joint"] == pytest.approx(found[0]["alone"], rel=1e-3)


@pytest.mark.slow
def test_images_that_count_together_are_warned_of_once(tmp_path):
    done = train("betatcvae", tmp_path / "run", "--steps", "2")
    assert done.returncode == 0, done.stderr
    message = "warning: SplitKL counts the images of a batch together: each process does so for"
    assert done.stderr.count(f"{message} its own 8") == 1


def said(done):
    return [line for line in done.stderr.splitlines() if line.startswith("autobeta: ")]


def assert_refused_once(done, message):
    """One process says why, and both exit with 1, of themselves."""
    assert done.returncode == 1
    [line] = said(done)
    assert message in line
    assert re.findall(r"^  exitcode *: (-?\d+)", done.stderr, re.MULTILINE) == ["1", "1"]


def test_what_the_first_process_refuses_ends_all_and_is_told_once(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    done = train("vae", tmp_path / "mine", "--steps", "4")
    assert_refused_once(done, "must be a new folder or a run folder")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--batch-size", "15"],
            "`batch_size` must be a multiple of the 2 processes; got 15. 16 is the next",
        ),
        pytest.param(
            *(["--data", "no/such/folder"], "no folder or file at"), marks=pytest.mark.slow
        ),
        pytest.param(
            *(["--preset", "none"], "`preset` of vae must be one of none; got 'none'"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_all_processes_refuse_is_told_once_and_leaves_no_folder(tmp_path, more, message):
    done = train("vae", tmp_path / "odd", "--steps", "4", *more)
    assert_refused_once(done, message)
    assert not (tmp_path / "odd").exists()


ALONE = """
import os, sys
from autobeta import cli, training
import autobeta.run.train as module

def failing(*args, **options):
    if os.environ["RANK"] == "1":
        raise ValueError("`x` is lost here.")
    return of_old(*args, **options)

of_old = getattr(module, sys.argv[1])
setattr(module, sys.argv[1], failing)
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["build", "fit"])
def test_what_the_second_process_alone_meets_is_told(tmp_path, where):
    (tmp_path / "script.py").write_text(ALONE)
    command = ["train", "vae", *ARGUMENTS, "--steps", "4", "--out", tmp_path / "run"]
    done = torchrun("script.py", where, *command, folder=tmp_path)
    assert done.returncode == 1
    told = [line for line in said(done) if "process 1 failed: `x` is lost here." in line]
    assert len(told) == 1


@pytest.mark.slow
def test_a_stop_is_told_once_with_the_command_that_goes_on(tmp_path):
    out = tmp_path / "run"
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    command = ["--rdzv-endpoint", "localhost:0", "-m", "autobeta", "train", "vae", *ARGUMENTS]
    words = [sys.executable, *launcher, *command, "--steps", "100000", "--out", str(out)]
    process = subprocess.Popen(words, stdout=-3, stderr=subprocess.PIPE, text=True)
    while not log(out):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert errors.count("stopped at step") == 1
    again = f"torchrun --nproc-per-node 2 -m autobeta train --config {out / files.CONFIG}"
    assert errors.count(again) == 1
    assert (out / files.CHECKPOINT).exists()
