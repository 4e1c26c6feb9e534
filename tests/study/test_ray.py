import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autobeta.cli import main
from autobeta.study.launchers import ray as launcher
from autobeta.study.launchers.ray import RayOptions, check, launch


@pytest.fixture
def ray(monkeypatch):
    """Ray with a folder of its own, and nothing left of it afterwards."""
    found = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="abr", dir="/tmp")  # a socket's path is short
    monkeypatch.setenv("RAY_TMPDIR", folder)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by itself, too slow beside other tests
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home folder
    yield found
    found.shutdown()
    processes_of_ray = [pid for pid, line in command_lines() if folder in line]
    shutil.rmtree(folder, ignore_errors=True)
    assert not processes_of_ray


def command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        yield int(path.parent.name), line


def workers_of(study):
    return [pid for pid, line in command_lines() if f"worker {study.folder}" in line]


@pytest.mark.slow
def test_local_ray_carries_out_a_study(ray, tmp_path, make_study, told):
    study = make_study(tmp_path / "study", methods=["vae", "betavae"], steps=20)
    launch(study.folder, list(study.runs), RayOptions(), workers=2, told=told)
    for name in study.runs:
        assert told.states(name)[-1] == "done"
        assert study.is_done(name)
    assert not ray.is_initialized()
    assert not workers_of(study)


@pytest.mark.slow
def test_runs_of_a_lost_node_go_on_elsewhere_as_if_undisturbed(
    ray, tmp_path, make_study, undisturbed, assert_same_results, told, wait_until, logged_lines
):
    from ray.cluster_utils import Cluster

    study = make_study(tmp_path / "study")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    lost = []

    def lose(name, state, reason):
        told(name, state, reason)
        begun = [run for run in study.runs if "running" in told.states(run)]
        if len(begun) == 2 and not lost:
            wait_until(lambda: all(logged_lines(study, run) >= 3 for run in begun))
            lost.append(len(workers_of(study)))
            cluster.remove_node(other, allow_graceful=False)

    try:
        options = RayOptions(address=cluster.address)
        launch(study.folder, list(study.runs), options, workers=None, told=lose)
    finally:
        cluster.shutdown()
    assert lost == [2]
    begun = sorted(study.log(name).read_text().count("training on") for name in study.runs)
    assert begun[-1] == 2
    assert_same_results(study, undisturbed())


@pytest.mark.slow
def test_ctrl_c_stops_the_runs_of_ray_with_their_checkpoints(
    ray, tmp_path, make_study, wait_until, logged_lines
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=5000)
    (name,) = study.runs
    code = (
        "import sys; from pathlib import Path; from autobeta.study.launchers.ray import *;"
        "launch(Path(sys.argv[1]), [sys.argv[2]], RayOptions(), workers=1, told=print)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(study.folder), name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: logged_lines(study, name) >= 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of the foreground
    assert process.wait(timeout=120) != 0
    assert not workers_of(study)
    assert study.attempt(name)["state"] == "stopped"
    assert (study.run(name) / "checkpoint" / "state.json").exists()


@pytest.mark.slow
def test_run_that_no_node_has_room_for_is_refused(ray, tmp_path, make_study, told):
    study = make_study(tmp_path / "study", methods=["vae"])
    with pytest.raises(
        ValueError, match=r"`ray.cpus` and `ray.gpus` must fit a node; got 1 and 9"
    ):
        launch(study.folder, list(study.runs), RayOptions(gpus=9.0), workers=1, told=told)
    assert told == []


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_cluster_that_does_not_answer_is_refused_at_once():
    pytest.importorskip("ray")
    address = f"127.0.0.1:{free_port()}"
    begin = time.monotonic()
    with pytest.raises(ValueError, match=f"nothing answers at {address}"):
        check(RayOptions(address=address))
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("address", ["somewhere", "host:", ":6379", "host:port", "ray://host"])
def test_address_without_a_port_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match=r"`ray.address` must be host:port, .*auto; got"):
        check(RayOptions(address=address))


def test_no_cluster_here_is_refused(monkeypatch, tmp_path, make_study, told):
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def init(**settings):
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", init)
    study = make_study(tmp_path / "study", methods=["vae"])
    with pytest.raises(ValueError, match=r"must be a Ray cluster; got auto: Could not find"):
        launch(study.folder, [], RayOptions(address="auto"), workers=None, told=told)


def test_missing_ray_is_said_before_the_folder_is_claimed(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'autobeta\[ray\]'"):
        check(RayOptions())
    out = tmp_path / "study"
    command = ["study", "run", "--methods", "vae", "--data", "toy", "--launcher", "ray"]
    assert main([*command, "--out", str(out)]) == 1
    assert "pip install 'autobeta[ray]'" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_task_gives_the_status_of_its_worker(tmp_path, make_study):
    study = make_study(tmp_path / "study", methods=["vae"], steps=2)
    assert launcher._carry_out(str(study.folder), next(iter(study.runs))) == 0


@pytest.mark.slow
def test_cancelled_task_stops_its_run_with_a_checkpoint(
    tmp_path, make_study, monkeypatch, logged_lines
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=5000)
    (name,) = study.runs

    def cancel(seconds):
        if logged_lines(study, name) >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(launcher.time, "sleep", cancel)
    with pytest.raises(KeyboardInterrupt):
        launcher._carry_out(str(study.folder), name)
    assert study.attempt(name)["state"] == "stopped"
    assert (study.run(name) / "checkpoint" / "state.json").exists()
