import pytest

from autobeta.run import folder as files

LINE = {"step": 1, "terms": {"reconstruction": 2.0, "kl": 1.0}, "kl_average": 1.0}


@pytest.mark.parametrize(
    "end", [b"", b"{broken\n", b'{"step": 9, "ter', b'{"step": 9}\n', b"[1]\n"]
)
def test_the_end_of_a_log_is_the_last_line_of_what_is_read(tmp_path, end):
    files.write_jsonl(tmp_path / files.LOG, [LINE, LINE | {"step": 2, "beta": 4.0}])
    with (tmp_path / files.LOG).open("ab") as file:
        file.write(end)
    assert files.end_of_log(tmp_path) == [LINE | {"step": 2, "beta": 4.0}]


def test_without_a_log_there_is_no_end_and_no_set_point(tmp_path):
    assert files.end_of_log(tmp_path) == []
    assert not files.has_set_point(tmp_path)


def test_a_logged_set_point_is_seen(tmp_path):
    files.write_jsonl(tmp_path / files.LOG, [LINE])
    assert not files.has_set_point(tmp_path)
    files.write_jsonl(tmp_path / files.LOG, [LINE | {"target": 3.0}])
    assert files.has_set_point(tmp_path)


def test_json_deeper_than_can_be_written_again_is_damage(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ' + "[" * 900 + "]" * 900 + "}")
    files.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(ValueError, match="must be JSON"):
        files.read_json(tmp_path / "a.json")
