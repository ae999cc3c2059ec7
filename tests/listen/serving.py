"""A real `voiceconv listen serve`, and clients that send exactly what they are told.

with serving(folder) as server:
    status, headers, body = server.ask("POST", "/api/session", {"consent": True})
"""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tiny_test import tiny_folder, tiny_test

from voiceconv.listen.manifest import PAGE, Test, Turn

COMMAND = [sys.executable, "-c", "from voiceconv.cli import main; main()", "listen", "serve"]
PATIENCE = 20  # seconds


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server(NamedTuple):
    process: subprocess.Popen[str]
    printed: list[str]

    def said(self, name: str) -> list[str]:
        """What was printed after `name: `."""
        return [line.partition(": ")[2] for line in self.printed if line.startswith(f"{name}: ")]

    @property
    def port(self) -> int:
        return int(self.said("listeners")[0].rstrip("/").rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, token: str = "", password: str | None = None
    ) -> Reply:
        """One request as JSON, on a connection of its own."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if password is not None:
            headers = basic(password)
        sent = None if body is None else json.dumps(body)
        if sent is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, sent, headers)
            return _reply(connection.getresponse())
        finally:
            connection.close()

    def send(self, raw: bytes) -> Reply:
        """These bytes, and the response to them; none of them is changed on the way."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(raw)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return _reply(response)

    def start(self, **more: Any) -> tuple[str, int]:
        """Token and list of a new session."""
        reply = self.ask("POST", "/api/session", {"consent": True, **more})
        assert reply.status == 201
        return reply.json["token"], reply.json["list"]

    def stop(self, by: signal.Signals) -> int:
        """The exit code."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Start it at any port, wait until it listens; it is killed on leaving."""
    process = subprocess.Popen(
        [*COMMAND, str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if line.startswith("password: "):
                break
        assert printed, "the server did not start"
        yield Server(process, printed)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def served_folder(folder: Path, method: str = "mos", **options: Any) -> tuple[Path, Test]:
    """TEST/ with a page of one line."""
    test = tiny_test(method, **options)
    tiny_folder(folder, test)
    (folder / PAGE / "index.html").write_text("<!doctype html><title>page</title>")
    return folder, test


def given(test: Test, turn: Turn, value: float | None = None, **more: Any) -> dict[str, Any]:
    """The body of an answer to a turn: the lowest value for all, or 1 for the first of two."""
    values = dict.fromkeys(turn.order, value or (test.method.scale or (0, 1))[0])
    if test.method.is_choice:
        values[turn.order[0]] = 1
    heard = dict.fromkeys(turn.order, 0.5)
    return {"trial": turn.trial, "values": values, "heard": heard, "seconds": 2.5, **more}


def basic(password: str, name: str = "admin") -> dict[str, str]:
    """The header of a password."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def _reply(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())
