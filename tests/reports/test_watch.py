import itertools
import shutil
import threading

import pytest

from autobeta.reports import watch
from autobeta.run import folder as runs


def test_a_change_is_given_once_and_no_page_or_lock_is_one(make_run, monkeypatch, log_rows):
    run = make_run()
    log = run / runs.LOG
    steps = [
        lambda: None,
        lambda: runs.write_jsonl(log, log_rows(steps=9)),
        lambda: (run / "report.html").write_text("page"),
        lambda: (run / runs.LOCK).touch(),
        lambda: (run / runs.METRICS).unlink(),
    ]
    looks, seen = iter(steps), []

    def sleep(seconds):
        seen.append(seconds)
        next(looks, KeyboardInterrupt)()

    monkeypatch.setattr(watch, "sleep", sleep)
    found = watch.changes([run, run / "none"], watch=3.0)
    looked = [next(found) or len(seen) for _ in range(3)]
    assert looked == [0, 2, 5]
    assert set(seen) == {3.0}


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_the_time_between_two_looks_must_be_positive(seconds):
    with pytest.raises(ValueError, match=r"`watch` must be in \(0, 86400\]; got"):
        next(itertools.islice(watch.changes([], watch=seconds), 1))


def test_a_folder_that_goes_while_it_is_looked_through_is_no_error(tmp_path):
    """As a former checkpoint does; `Path.rglob` of Python 3.11 raises."""
    places, done = tmp_path / "run" / "checkpoint.old", threading.Event()

    def come_and_go():
        while not done.is_set():
            (places / "deep").mkdir(parents=True)
            shutil.rmtree(places)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(3000):
            watch._state([tmp_path])
    finally:
        done.set()
        thread.join()


def test_a_file_is_looked_at_and_may_come_later(tmp_path):
    path = tmp_path / "attempt.json"
    before = watch._state([path])
    path.write_text("{}")
    assert before != watch._state([path])
