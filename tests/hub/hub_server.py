"""A stand-in for the hub: the endpoints that huggingface_hub asks, over a repository in memory.

Revisions are commits of whole trees. What a bad hub does is set on it: see HubServer.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".onnx", ".bin")  # kept beside git
Tree = dict[str, bytes]


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Repository:
    """Commits by their hashes, and the branches and tags that name them."""

    private: bool = False
    commits: dict[str, Tree] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def commit(self, tree: Tree, name: str = "main") -> str:
        """A commit of these files, to which the name goes."""
        what = [*sorted((path, sha256(data)) for path, data in tree.items()), len(self.commits)]
        number = hashlib.sha1(repr(what).encode()).hexdigest()
        self.commits[number], self.names[name] = dict(tree), number
        return number

    def files(self, revision: str = "main") -> Tree:
        return self.commits[self.names.get(revision, revision)]


class HubServer(ThreadingHTTPServer):
    """Repositories by name, the token that may write, and what goes wrong on the way.

    tampered: what is sent in place of a file, whose hash and size stay those of the listing.
    cut: files of which the connection sends half, so many times. listed: entries that a listing has
    beside those of the repository. asked: METHOD PATH of each request.
    """

    daemon_threads = True
    token = "hf_stand_in"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.tampered: Tree = {}
        self.cut: dict[str, int] = {}
        self.listed: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.uploaded: Tree = {}  # by sha256
        self.status: int | None = None  # of every answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def downloaded(self) -> list[str]:
        """The files whose bytes were asked for."""
        found = [re.match(r"GET /[^/]+/[^/]+/resolve/[^/]+/(.*)", one) for one in self.asked]
        return [one[1] for one in found if one]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer()

    def do_GET(self) -> None:  # noqa: N802
        self._answer()

    def do_POST(self) -> None:  # noqa: N802
        self._answer()

    def do_PUT(self) -> None:  # noqa: N802
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append(f"{self.command} {unquote(path)}")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.status is not None:
            return self._send(self.server.status, {"error": "out of order"})
        for pattern, method in _ROUTES:
            match = re.fullmatch(pattern, f"{self.command} {path}")
            if match:
                return method(self, *map(unquote, match.groups()))
        return self._send(404, {"error": "no such endpoint"})

    def _send(self, status: int, content: Any = None, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        headers = {"Content-Length": str(len(data))} | headers
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def _may_write(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def _repository(self, name: str) -> Repository | None:
        """None, and an answer, where it is not there or private; the hub does not say which."""
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self._may_write):
            self._send(401, {"error": "not found"}, X_Error_Code="RepoNotFound")
            return None
        return found

    def _commit(self, name: str, revision: str) -> tuple[str, Tree] | None:
        repository = self._repository(name)
        if repository is None:
            return None
        number = repository.names.get(revision, revision)
        if number not in repository.commits:
            self._send(404, {"error": "no revision"}, X_Error_Code="RevisionNotFound")
            return None
        return number, repository.commits[number]

    def info(self, name: str, revision: str | None = None) -> None:
        found = self._commit(name, revision or "main")
        if found is not None:
            siblings = [{"rfilename": path} for path in found[1]]
            self._send(200, {"id": name, "sha": found[0], "siblings": siblings})

    def tree(self, name: str, revision: str) -> None:
        found = self._commit(name, revision)
        if found is not None:
            self._send(200, [_entry(*one) for one in found[1].items()] + self.server.listed)

    def resolve(self, name: str, revision: str, path: str) -> None:
        found = self._commit(name, revision)
        if found is None:
            return None
        number, tree = found
        if path not in tree:
            return self._send(404, {}, X_Error_Code="EntryNotFound", X_Repo_Commit=number)
        data = tree[path]
        etag = sha256(data) if path.endswith(LARGE) else git_id(data)
        headers = {"X_Repo_Commit": number, "ETag": f'"{etag}"', "Accept_Ranges": "bytes"}
        if self.command == "HEAD":
            return self._send(200, data, **headers)
        data = self.server.tampered.get(path, data)
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        status = 206 if start else 200
        if self.server.cut.get(path, 0):
            self.server.cut[path] -= 1
            half = data[start : start + (len(data) - start) // 2]
            self._send(status, half, **headers | {"Content-Length": str(len(data) - start)})
            self.close_connection = True
            return None
        return self._send(status, data[start:], **headers)

    def create(self) -> None:
        if not self._may_write:
            return self._send(403, {"error": "forbidden"})
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.repositories:
            return self._send(409, {"url": f"{self.server.url}/{name}"})
        made = Repository(private=asked.get("visibility") == "private")
        made.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        self.server.repositories[name] = made
        return self._send(200, {"url": f"{self.server.url}/{name}", "name": name})

    def branch(self, name: str, branch: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return None
        if branch in repository.names:
            return self._send(409, {"error": "there"})
        repository.names[branch] = repository.names["main"]
        return self._send(200, {})

    def valid_yaml(self) -> None:
        self._send(200, {"errors": [], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        def mode(path: str) -> str:
            return "lfs" if path.endswith(LARGE) else "regular"

        asked = [one["path"] for one in json.loads(self.body)["files"]]
        files = [{"path": one, "uploadMode": mode(one), "shouldIgnore": False} for one in asked]
        self._send(200, {"files": files})

    def batch(self, name: str) -> None:
        objects = json.loads(self.body)["objects"]
        for one in objects:
            one["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}
        self._send(200, {"transfer": "basic", "objects": objects})

    def put(self, oid: str) -> None:
        self.server.uploaded[oid] = self.body
        self._send(200 if sha256(self.body) == oid else 400, {})

    def commit(self, name: str, revision: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return None
        tree = dict(repository.files(revision))
        for line in self.body.splitlines():
            one = json.loads(line)
            path = one["value"].get("path")
            if one["key"] == "file":
                tree[path] = base64.b64decode(one["value"]["content"])
            elif one["key"] == "lfsFile":
                tree[path] = self.server.uploaded[one["value"]["oid"]]
            elif one["key"] == "deletedFile":
                del tree[path]
        number = repository.commit(tree, revision)
        url = f"{self.server.url}/{name}/commit/{number}"
        return self._send(200, {"commitUrl": url, "commitOid": number, "success": True})


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(data), "oid": git_id(data)}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
    return entry


_NAME = "([^/]+/[^/]+)"
_ROUTES = (
    (f"GET /api/models/{_NAME}", _Handler.info),
    (f"GET /api/models/{_NAME}/revision/([^/]+)", _Handler.info),
    (f"GET /api/models/{_NAME}/tree/([^/]+)", _Handler.tree),
    (f"(?:GET|HEAD) /{_NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
    ("POST /api/repos/create", _Handler.create),
    (f"POST /api/models/{_NAME}/branch/([^/]+)", _Handler.branch),
    ("POST /api/validate-yaml", _Handler.valid_yaml),
    (f"POST /api/models/{_NAME}/preupload/([^/]+)", _Handler.preupload),
    (f"POST /{_NAME}.git/info/lfs/objects/batch", _Handler.batch),
    ("PUT /lfs/([0-9a-f]+)", _Handler.put),
    (f"POST /api/models/{_NAME}/commit/([^/]+)", _Handler.commit),
)
