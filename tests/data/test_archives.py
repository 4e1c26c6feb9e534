import io
import tarfile
import zipfile

import pytest

from autobeta.data._files import archives as _archives
from autobeta.data._files.archives import open_archive

FILES = {"a/one.png": b"first", "a/two.png": b"second", "../../evil.png": b"outside"}


def zip_of(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tar_of(path, files=FILES, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def folder_of(path):
    for name, data in FILES.items():
        if ".." not in name:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return path


MAKE = {
    "zip": lambda folder: zip_of(folder / "x.zip"),
    "tar": lambda folder: tar_of(folder / "x.tar"),
    "tar.gz": lambda folder: tar_of(folder / "x.tar.gz", mode="w:gz"),
    "folder": lambda folder: folder_of(folder / "x"),
}


@pytest.mark.parametrize("form", MAKE)
def test_members_are_read_by_name_in_the_order_asked_for(tmp_path, form):
    archive = open_archive(MAKE[form](tmp_path))
    assert {"a/one.png", "a/two.png"} <= set(archive.names)
    wanted = ["a/two.png", "a/one.png", "a/two.png"]
    assert list(archive.read_all(wanted)) == [(name, FILES[name]) for name in wanted]
    assert archive.read("a/one.png") == b"first"


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_paths_of_an_archive_write_nothing(tmp_path, left_in, form):
    folder = tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    archive = open_archive(MAKE[form](folder))
    assert archive.read("../../evil.png") == b"outside"
    assert left_in(tmp_path) == [f"x.{form}"]


def test_links_and_devices_in_a_tar_are_no_files(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in [("link", tarfile.SYMTYPE), ("null", tarfile.CHRTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert open_archive(path).names == ()


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_a_decompression_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch, form):
    monkeypatch.setattr(_archives, "LARGEST", 1 << 20)
    bomb = {"bomb.png": bytes(2 << 20)}
    made = (
        zip_of(tmp_path / "x.zip", bomb)
        if form == "zip"
        else tar_of(tmp_path / "x.tar.gz", bomb, "w:gz")
    )
    assert made.stat().st_size < 1 << 14
    with pytest.raises(ValueError, match=r"2,097,152 bytes claimed, more than 1,048,576"):
        open_archive(made).read("bomb.png")


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a": bytes(1000)})
    data = path.read_bytes()
    true, false = (1000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(data.replace(true, false))
    with pytest.raises(ValueError, match=r"archive or folder, `a` included; got"):
        open_archive(path).read("a")


def test_damage_inside_an_archive_names_the_member(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a": bytes(range(256)) * 8})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(
        ValueError, match=r"x\.zip` must be a whole archive or folder, `a` included; got"
    ):
        open_archive(path).read("a")


def test_a_truncated_archive_is_refused(tmp_path):
    path = tar_of(tmp_path / "x.tar.gz", {"a": bytes(range(256)) * 64}, "w:gz")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"must be a whole \.zip or \.tar archive, or a folder"):
        open_archive(path)


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(ValueError, match=r"must be a whole \.zip or \.tar archive, or a folder"):
        open_archive(tmp_path / "x.zip")
