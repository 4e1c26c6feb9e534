"""Downloads from a server on this machine; no other address is ever tried."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autobeta.data import DataOptions, mpi3d, prepare_data
from autobeta.data._files.download import OfficialFile, check_file, fetch
from autobeta.errors import MissingDataError

DATA = bytes(range(256)) * 1000
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; "cut.bin" breaks off in the middle."""

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        if self.path != "/cut.bin":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA[:1000])
        self.close_connection = True


@pytest.fixture
def address(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file.bin").write_bytes(DATA)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_once(tmp_path, address, left_in):
    folder = tmp_path / "cache"
    file = OfficialFile(name="data.bin", url=f"{address}/file.bin", checksum=SHA256)
    fetch(folder, [file])
    assert (folder / "data.bin").read_bytes() == DATA
    assert left_in(folder) == ["data.bin"]
    check_file(folder / "data.bin", file)
    fetch(folder, [OfficialFile(name="data.bin", url=f"{address}/gone", checksum=SHA256)])


@pytest.mark.parametrize(
    ("path", "checksum", "message"),
    [
        ("file.bin", f"sha256:{'0' * 64}", "must have the published sha256 0000"),
        ("none.bin", SHA256, "404"),
        pytest.param(
            *("cut.bin", SHA256, "IncompleteRead"),
            # pooch leaves the broken connection to the garbage collector
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
        ),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    tmp_path, address, left_in, path, checksum, message
):
    folder = tmp_path / "cache"
    file = OfficialFile(name="data.bin", url=f"{address}/{path}", checksum=checksum)
    with pytest.raises(MissingDataError, match=message) as error:
        fetch(folder, [file])
    assert f"Fetch {address}/{path} by hand and place it in `{folder}`." in str(error.value)
    assert left_in(folder) == []


def test_a_server_that_is_not_there_is_named(tmp_path):
    file = OfficialFile(name="data.bin", url="http://127.0.0.1:9/data.bin")
    with pytest.raises(MissingDataError, match=r"could not be downloaded from http://127"):
        fetch(tmp_path, [file])


def test_files_without_an_address_are_fetched_by_hand(tmp_path):
    with pytest.raises(MissingDataError, match=r"can't be downloaded by a program. Fetch x.npz"):
        fetch(tmp_path, [OfficialFile(name="x.npz")], by_hand="https://example.org")
    options = DataOptions(variant="real_complex")
    with pytest.raises(MissingDataError, match=r"mpi3d has no files that a program .* https://"):
        prepare_data("mpi3d", options, tmp_path, download=True)
    with pytest.raises(MissingDataError, match="falcor3d has no files that a program can fetch"):
        prepare_data("falcor3d", root=tmp_path, download=True)


def test_prepare_downloads_and_then_checks_what_it_got(tmp_path, address, monkeypatch):
    monkeypatch.setattr(mpi3d, "URL", f"{address}/")
    monkeypatch.setitem(mpi3d.FILES, "mpi3d_toy.npz", (SHA256, 0))
    (tmp_path / "served" / "file.bin").rename(tmp_path / "served" / "mpi3d_toy.npz")
    with pytest.raises(ValueError, match=r"mpi3d_toy.npz"):  # fetched, and no .npz at all
        prepare_data("mpi3d", DataOptions(variant="toy"), tmp_path, download=True)
    assert (tmp_path / "mpi3d" / "mpi3d_toy.npz").exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (OfficialFile(name="x", size=9), "must have 9 bytes as published; got 256,000"),
        (OfficialFile(name="x", checksum=f"md5:{'0' * 32}"), "must have the published md5 0000"),
    ],
)
def test_a_file_that_is_not_as_published_is_refused_unless_asked_for(tmp_path, file, message):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    with pytest.raises(ValueError, match=message):
        check_file(path, file)
