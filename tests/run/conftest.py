"""A stand-in for the Hugging Face Hub: what its client asks of it for models, in one process."""

import base64
import hashlib
import importlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_standin"


class Hub(ThreadingHTTPServer):
    """Repositories of files: `commits[repo]` are (commit, {name: content}), the newest last."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.commits, self.branches, self.private = {}, {}, set()
        self.stored = {}  # large files by SHA-256
        self.asked = []  # method and path of each request
        self.broken = None  # a status that everything is answered with
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that went away is no news."""

    def add(self, repo, files, branch="main"):
        """A commit of these files; its name."""
        history = self.commits.setdefault(repo, [])
        commit = hashlib.sha1(f"{repo}{len(history)}".encode()).hexdigest()
        history.append((commit, dict(files)))
        self.branches[repo, branch] = commit
        return commit

    def files(self, repo, revision="main"):
        """Commit and files of a revision; None where there is none."""
        revision = self.branches.get((repo, revision), revision)
        return next((c for c in self.commits.get(repo, ()) if c[0] == revision), None)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, body=b"", status=200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status, code=""):
        self.reply({"error": code}, status, X_Error_Code=code)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self):
        hub, data = self.server, self.body()
        path = unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path))
        words = path.strip("/").split("/")
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if hub.broken:
            self.refuse(hub.broken)
        elif words[0] == "lfs":
            hub.stored[words[1]] = data
            self.reply()
        elif self.command in ("GET", "HEAD"):
            self.read(words, known)
        elif path == "/api/validate-yaml":
            self.reply({"errors": [], "warnings": []})
        elif not known:
            self.refuse(401)
        else:
            self.write(path, words, data)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def read(self, words, known):
        hub, api = self.server, words[:2] == ["api", "models"]
        repo = "/".join(words[2:4] if api else words[:2])
        revision = (words[5] if len(words) > 5 else "main") if api else words[3]
        if repo not in hub.commits or (repo in hub.private and not known):
            self.refuse(404 if known else 401, "RepoNotFound")
        elif (found := hub.files(repo, revision)) is None:
            self.refuse(404, "RevisionNotFound")
        elif api:
            siblings = [{"rfilename": name} for name in found[1]]
            self.reply({"id": repo, "sha": found[0], "siblings": siblings})
        else:
            content = found[1]["/".join(words[4:])]
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            self.reply(content, ETag=etag, X_Repo_Commit=found[0])

    def write(self, path, words, data):
        hub = self.server
        if path == "/api/repos/create":
            asked = json.loads(data)
            repo = f"{asked['organization']}/{asked['name']}"
            if repo in hub.commits:
                return self.reply({"url": f"{hub.url}/{repo}"}, 409)
            closed = asked.get("private") or asked.get("visibility") == "private"
            hub.private |= {repo} if closed else set()
            hub.add(repo, {".gitattributes": b""})
            return self.reply({"url": f"{hub.url}/{repo}"})
        if path.endswith(".git/info/lfs/objects/batch"):
            items = json.loads(data)["objects"]
            for item in items:
                item["actions"] = {"upload": {"href": f"{hub.url}/lfs/{item['oid']}"}}
            return self.reply({"transfer": "basic", "objects": items})
        repo = "/".join(words[2:4])
        if words[4] == "preupload":
            large = (".safetensors", ".png")
            modes = [
                {
                    "path": (name := item["path"]),
                    "uploadMode": "lfs" if name.endswith(large) else "regular",
                    "shouldIgnore": False,
                }
                for item in json.loads(data)["files"]
            ]
            return self.reply({"files": modes})
        files = dict(hub.files(repo)[1])
        for line in data.splitlines():
            change = json.loads(line)
            value = change["value"]
            if change["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif change["key"] == "lfsFile":
                files[value["path"]] = hub.stored[value["oid"]]
            elif change["key"] == "deletedFile":
                del files[value["path"]]
        commit = hub.add(repo, files)
        return self.reply({"commitUrl": f"{hub.url}/{repo}/commit/{commit}", "commitOid": commit})


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The client of the Hub speaks to a stand-in, with its token; large files go as LFS."""
    client = pytest.importorskip("huggingface_hub")
    constants = importlib.import_module("huggingface_hub.constants")
    server = Hub()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)  # as HF_ENDPOINT does at the import
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path / "cache"))
    yield server
    client.close_session()  # its sockets, which else live until they are collected
    server.shutdown()
    server.server_close()
