"""A real `voiceconv serve` on this machine's loopback under load: jobs, streams, attacks, a kill.

    python benchmarks/serve_load.py [--seconds 60] [--clients 20] [--streams 4] [--fake live|all]

Each part is bounded in count and time, and all connections are to 127.0.0.1:

- clients convert clips of 10 s, each one after another, without pause;
- live streams are paced in real time, in chunks of 20 ms, beside the clients and without them;
- 100 connections send one byte a second while the clients convert;
- 50 uploads are aborted half-way;
- the server gets SIGKILL in the middle of jobs, and is started again.

It prints a Markdown table, and the server's open files, memory and programs before and after. With
--fake live, the fake model of tests/serve streams, and each push takes FAKE_BUSY ms (a variable of
the environment); with --fake all, its fake program converts, too.
"""

import argparse
import asyncio
import io
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import connect

from voiceconv import audio
from voiceconv.model_folder import BUNDLED

ROOT = Path(__file__).parents[1]
CLIP, CHUNK, RATE = 10.0, 0.02, 48_000
SLOW, ABORTED, KILLED = 100, 50, 12
FAKE = [sys.executable, str(ROOT / "tests" / "serve" / "fake_server.py")]
REAL = [sys.executable, "-m", "voiceconv", "serve"]
Row = tuple[str, str]


class Server:
    """The process, its port, and what the system says of it."""

    def __init__(self, folder: Path, fake: str | None) -> None:
        command = [*REAL, "--folder", folder, "--port", "0"]
        if fake is not None:
            command = [*FAKE, folder, "0", "--workers", str(os.cpu_count())]
            command += ["--real"] if fake == "live" else []
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("serving: http://127.0.0.1:"):
            raise SystemExit(f"the server did not start: {line}")
        self.port = int(line.rstrip("/\n").rpartition(":")[2])
        self.started_in = time.monotonic() - began

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait."""
        self.process.send_signal(how)
        self.process.wait(60)

    def figures(self) -> str:
        """Open files, resident memory, programs and their memory."""
        pid = self.process.pid
        said = subprocess.run(
            ["ps", "-o", "rss=", "--ppid", str(pid)], capture_output=True, text=True
        )
        programs = [int(one) / 1024 for one in said.stdout.split()]
        n_files = len(os.listdir(f"/proc/{pid}/fd"))
        return (
            f"{n_files} open files, {resident(pid):.0f} MB, {len(programs)} programs of "
            f"{sum(programs):.0f} MB"
        )


def resident(pid: int) -> float:
    """MB of memory."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


async def ask(
    port: int, method: str, path: str, body: bytes = b"", token: str = ""
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += f"Content-Length: {len(body)}\r\n"
        head += f"Authorization: Bearer {token}\r\n\r\n" if token else "\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head_of, _, rest = answer.partition(b"\r\n\r\n")
    return int(head_of.split()[1]), rest


async def convert(port: int, target: str, clip: bytes, until: float, took: list[float]) -> int:
    """A client: conversions one after another; the number of those that failed."""
    failed = 0
    while time.monotonic() < until:
        began = time.monotonic()
        status, _ = await ask(port, "POST", f"/api/convert?target={target}", clip)
        took.append(time.monotonic() - began)
        failed += status != 200
    return failed


async def clients(port: int, target: str, clip: bytes, n: int, seconds: float) -> list[Row]:
    """Many at once."""
    took: list[float] = []
    began = time.monotonic()
    until = began + seconds
    failed = await asyncio.gather(*(convert(port, target, clip, until, took) for _ in range(n)))
    wall = time.monotonic() - began
    rate = len(took) / wall
    said = (
        f"{len(took)} conversions in {wall:.0f} s ({rate:.2f}/s, {CLIP * rate:.1f} s of sound per "
        f"second), {spread(took)}, {sum(failed)} failed"
    )
    return [(f"{n} clients, clips of {CLIP:.0f} s", said)]


async def stream(port: int, query: str, seconds: float, delays: list[float]) -> dict[str, Any]:
    """A live stream in real time; its last statistics.

    delays: gets, of each message, the time since the chunk was sent whose conversion it ends with.
    """
    address = f"ws://127.0.0.1:{port}/api/live?{query}&sample_rate={RATE}"
    rng = np.random.default_rng(0)
    n = round(CHUNK * RATE)
    last: dict[str, Any] = {"dropouts": 0, "load": 0.0, "seconds": 0.0}
    sent: list[float] = []
    async with connect(address, compression=None, open_timeout=120) as socket:
        ready = json.loads(await socket.recv())
        if ready["type"] != "ready":
            raise SystemExit(f"no live stream: {ready}")

        async def listen() -> None:
            n_back = 0
            async for message in socket:
                if isinstance(message, bytes):
                    n_back += len(message) // 4
                    chunk = math.ceil(round(n_back / ready["sample_rate"] / CHUNK, 3)) - 1
                    if 0 <= chunk < len(sent):
                        delays.append(time.monotonic() - sent[chunk])
                elif (said := json.loads(message))["type"] == "stats":
                    last.update(said)

        listening = asyncio.create_task(listen())
        began = time.monotonic()
        for number in range(round(seconds / CHUNK)):
            await asyncio.sleep(began + number * CHUNK - time.monotonic())
            sent.append(time.monotonic())
            await socket.send((0.1 * rng.standard_normal(n)).astype(np.float32).tobytes())
        await socket.send('{"type": "flush"}')
        await listening
    return last


async def streams(port: int, target: str, n: int, seconds: float, where: str) -> list[Row]:
    """Many at once."""
    delays: list[float] = []
    lasts = await asyncio.gather(
        *(stream(port, f"target={target}", seconds, delays) for _ in range(n))
    )
    dropouts = [one["dropouts"] for one in lasts]
    load = statistics.mean(one["load"] for one in lasts)
    said = f"drop-outs {dropouts}, chunks {spread(delays, 1000, 'ms')}, load {load:.2f}"
    return [(f"{n} live streams of {seconds:.0f} s, {where}", said)]


async def drip(port: int, until: float) -> bool:
    """A connection that sends a byte a second; whether the server ended it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"POST /api/jobs?target=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ")
        while time.monotonic() < until:
            writer.write(b"1")
            await writer.drain()
            try:
                async with asyncio.timeout(1.0):
                    await reader.read(1)
                    return True
            except TimeoutError:
                pass
    except ConnectionError:
        return True
    finally:
        writer.close()
    return False


async def dripping(port: int, target: str, clip: bytes, seconds: float) -> list[Row]:
    """Slow connections, beside one client and one that asks for the models."""
    until = time.monotonic() + seconds
    slow = [asyncio.create_task(drip(port, until)) for _ in range(SLOW)]
    took: list[float] = []
    asked: list[float] = []
    working = asyncio.create_task(convert(port, target, clip, until, took))
    while time.monotonic() < until:
        began = time.monotonic()
        await ask(port, "GET", "/api/models")
        asked.append(time.monotonic() - began)
        await asyncio.sleep(0.1)
    failed, ended = await working, sum(await asyncio.gather(*slow))
    said = (
        f"{ended} ended by the server; meanwhile {len(took)} conversions, {failed} failed, "
        f"and /api/models {spread(asked, 1000, 'ms')}"
    )
    return [(f"{SLOW} connections of a byte a second, {seconds:.0f} s", said)]


async def aborted(port: int, target: str, folder: Path) -> list[Row]:
    """Uploads that stop half-way; the folders that they leave."""
    before = set(os.listdir(folder / "jobs"))
    for _ in range(ABORTED):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /api/jobs?target={target} HTTP/1.1\r\nHost: localhost\r\n"
        writer.write(f"{head}Content-Length: 2000000\r\n\r\n".encode() + bytes(1_000_000))
        await writer.drain()
        writer.close()
    await asyncio.sleep(1.0)
    left = len(set(os.listdir(folder / "jobs")) - before)
    return [(f"{ABORTED} aborted uploads", f"{left} folders left")]


async def start_jobs(port: int, target: str, clip: bytes) -> list[tuple[str, str]]:
    """Ids and tokens of acknowledged jobs."""
    jobs = []
    for _ in range(KILLED):
        status, body = await ask(port, "POST", f"/api/jobs?target={target}", clip)
        assert status == 202, body
        jobs.append((json.loads(body)["id"], json.loads(body)["token"]))
    return jobs


async def ends(port: int, jobs: Sequence[tuple[str, str]]) -> list[str]:
    """The last state of each job."""
    states = []
    until = time.monotonic() + 300
    for job, token in jobs:
        state = ""
        while state not in ("done", "failed", "cancelled", "lost") and time.monotonic() < until:
            status, body = await ask(port, "GET", f"/api/jobs/{job}", token=token)
            state = json.loads(body)["state"] if status == 200 else "lost"
            await asyncio.sleep(0.1)
        states.append(state)
    return states


def killed(server: Server, folder: Path, target: str, clip: bytes, fake: str | None) -> list[Row]:
    """SIGKILL in the middle of jobs, and a restart, which is ended, too."""
    jobs = asyncio.run(start_jobs(server.port, target, clip))
    time.sleep(1.0)
    server.end(signal.SIGKILL)
    again = Server(folder, fake)
    states = asyncio.run(ends(again.port, jobs))
    counts = ", ".join(f"{states.count(one)} {one}" for one in sorted(set(states)))
    left = again.figures()
    again.end()
    said = f"{counts}; served again after {again.started_in:.1f} s"
    return [(f"SIGKILL with {KILLED} acknowledged jobs", said), ("after the restart", left)]


def spread(values: Sequence[float], factor: float = 1.0, unit: str = "s") -> str:
    """Median and 99th percentile."""
    if not values:
        return "none"
    median, high = np.percentile(values, [50, 99]) * factor
    return f"median {median:.1f} {unit}, 99th percentile {high:.1f} {unit}"


def make_clip(fake: str | None) -> bytes:
    """The bundled sample, repeated to 10 s; for the fake, what its line says."""
    if fake == "all":
        return b"slow 0.1"
    wave = audio.read(BUNDLED / "sample.wav", 24_000).samples.numpy()
    file = io.BytesIO()
    soundfile.write(file, np.resize(wave, round(CLIP * 24_000)), 24_000, format="FLAC")
    return file.getvalue()


async def measure(
    server: Server, folder: Path, clip: bytes, given: argparse.Namespace
) -> list[Row]:
    """All parts but the kill."""
    status, body = await ask(server.port, "GET", "/api/models")
    models = json.loads(body)
    live, target = models["live"], models["models"][0]["targets"][0]
    port, rows = server.port, []
    if live is not None and given.streams:
        rows += await streams(port, target, given.streams, given.seconds / 2, "alone")
    rows += await clients(port, target, clip, given.clients, given.seconds)
    if live is not None and given.streams:
        both = await asyncio.gather(
            streams(port, target, given.streams, given.seconds / 2, "beside clients"),
            clients(port, target, clip, given.clients, given.seconds / 2),
        )
        rows += both[0]
    rows += await dripping(port, target, clip, min(given.seconds, 30.0))
    rows += await aborted(port, target, folder)
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--fake", choices=["live", "all"])
    given = parser.parse_args()
    clip = make_clip(given.fake)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, given.fake)
        try:
            before = server.figures()
            rows = [("start", f"{server.started_in:.1f} s"), ("before", before)]
            rows += asyncio.run(measure(server, folder, clip, given))
            time.sleep(2.0)
            rows.append(("after", server.figures()))
            target = json.loads(asyncio.run(ask(server.port, "GET", "/api/models"))[1])
            first = target["models"][0]["targets"][0]
            rows += killed(server, folder, first, clip, given.fake)
        finally:
            if server.process.poll() is None:
                server.end()
    print(f"| {os.cpu_count()} cores | |\n| --- | --- |")
    for name, said in rows:
        print(f"| {name} | {said} |")


if __name__ == "__main__":
    main()
