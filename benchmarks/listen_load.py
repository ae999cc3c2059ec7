"""Many listeners at once against a real `voiceconv listen serve`: answers lost, response times.

    python benchmarks/listen_load.py [--listeners 200] [--seconds 60] [--think 5 --sounds] [--kill]

Each listener keeps one connection, starts a session, answers its whole list and starts anew. With
--think S it thinks for up to 2 S seconds before each answer, S on average; with --sounds it loads
each stimulus before. With --kill the server gets SIGKILL half-way and is started again. At the end,
every answer that was acknowledged is looked for in the database.
"""

import argparse
import asyncio
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from voiceconv.listen.answers import read_store
from voiceconv.listen.manifest import (
    PAGE,
    SYSTEM,
    TRIAL,
    Stimulus,
    System,
    Test,
    Trial,
    Turn,
    blind_id,
    public,
    write_test,
)

N_TRIALS, N_LISTS, RATE, SECONDS = 24, 8, 24_000, 4.0  # a stimulus is 192 kB
RETRY = 0.2  # seconds before a request is sent again that nobody has answered


def make_test(folder: Path) -> Test:
    """TEST/ of one system and silence."""
    test_id = blind_id("load", "test")
    stimuli, trials = {}, {}
    for number in range(N_TRIALS):
        name, item = blind_id("load", "stimulus", str(number)), f"A-B/{number}"
        stimuli[name] = Stimulus(name, "one", item, SECONDS, -23.0, -6.0, 0.0, "", "")
        trial = blind_id("load", "trial", str(number))
        trials[trial] = Trial(trial, TRIAL, item, "A-B", (name,))
    turns = [Turn(name, trial.shown) for name, trial in trials.items()]
    lists = tuple(tuple(turns[n:] + turns[:n]) for n in range(N_LISTS))
    systems = {"one": System("one", SYSTEM)}
    level = next(iter(stimuli))
    test = Test(
        test_id[:8], "load", "mos", "Load", 0, RATE, -23.0, level, systems, stimuli, trials, lists
    )
    (folder / PAGE / "stimuli").mkdir(parents=True)
    write_test(folder, test)
    (folder / PAGE / "index.html").write_text("<!doctype html><title>Load</title>")
    (folder / PAGE / "test.json").write_text(json.dumps(public(test)))
    for name in stimuli:
        (folder / PAGE / "stimuli" / f"{name}.wav").write_bytes(bytes(int(SECONDS * RATE) * 2))
    return test


def start_server(folder: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    """The process, and its port once it listens there."""
    command = [Path(sys.executable).with_name("voiceconv"), "listen", "serve", folder]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("password"):
            return process, port
        if line.startswith("listeners: "):
            port = int(line.rstrip("/\n").rpartition(":")[2])
    raise SystemExit("the server did not start")


class Load:
    """What all listeners share: the test, the server's port, what was measured."""

    def __init__(self, test: Test, port: int, options: argparse.Namespace) -> None:
        self.test = test
        self.port = port
        self.options = options
        self.end = time.perf_counter() + options.seconds
        self.sessions = 0
        self.acknowledged: dict[tuple[str, str], dict[str, float]] = {}
        self.times: dict[str, list[float]] = {"answer": [], "session": [], "sound": []}
        self.seen: Counter[str] = Counter()

    @property
    def over(self) -> bool:
        """Whether no request is to be sent any more."""
        return time.perf_counter() >= self.end


class Listener:
    """One connection that is kept open, as a browser's is."""

    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.random = random.Random(number)
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def listen(self) -> None:
        """Sessions, one after another, until time is over."""
        await asyncio.sleep(self.random.uniform(0, min(1.0, self.load.options.seconds / 10)))
        while not self.load.over:
            self.load.sessions += 1
            participant = f"load-{self.load.sessions}"
            body = {"consent": True, "invitation": None, "participant": participant}
            status, said = await self.ask("session", "POST", "/api/session", body)
            if status == 201:
                await self.answer_all(participant, said["token"], said["list"])
        if self.writer is not None:
            self.writer.close()

    async def answer_all(self, participant: str, token: str, number: int) -> None:
        """One list's course."""
        for turn in self.load.test.lists[number]:
            if self.load.options.sounds:
                for stimulus in turn.order:
                    await self.ask("sound", "GET", f"/stimuli/{stimulus}.wav")
            await asyncio.sleep(self.random.uniform(0, 2 * self.load.options.think))
            if self.load.over:
                return
            values = {stimulus: float(self.random.randint(1, 5)) for stimulus in turn.order}
            body = {
                "trial": turn.trial,
                "values": values,
                "heard": dict.fromkeys(turn.order, SECONDS),
                "seconds": 9.5,
                "comment": "",
            }
            status, _ = await self.ask("answer", "POST", "/api/answers", body, token)
            if status in (201, 409):  # 409: kept, and then killed before it could say so
                self.load.acknowledged[participant, turn.trial] = values

    async def ask(
        self, kind: str, method: str, path: str, body: Any = None, token: str = ""
    ) -> tuple[int, Any]:
        """Status and content; sent again until the server answers."""
        sent = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        )
        while True:
            start = time.perf_counter()
            try:
                status, content = await self.exchange(head.encode() + sent)
            except (OSError, asyncio.IncompleteReadError):
                self.load.seen["connection lost"] += 1
                self.writer = None
                if self.load.over:
                    return 0, None
                await asyncio.sleep(RETRY)
                continue
            self.load.times[kind].append(time.perf_counter() - start)
            self.load.seen[f"{kind} {status}"] += 1
            return status, json.loads(content) if kind != "sound" and content else None

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """One request and its response."""
        if self.writer is None or (self.reader is not None and self.reader.at_eof()):
            # at first, and after a minute of thinking, by which the server has hung up
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.load.port)
        assert self.reader is not None
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        return int(head.split(" ", 2)[1]), await self.reader.readexactly(length)


async def drive(load: Load, folder: Path, process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """All listeners, and the kill half-way; the process that serves at the end."""
    listeners = [
        asyncio.create_task(Listener(load, number).listen())
        for number in range(load.options.listeners)
    ]
    if load.options.kill:
        await asyncio.sleep(load.options.seconds / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process, _ = await asyncio.to_thread(start_server, folder, load.port)
    await asyncio.gather(*listeners)
    return process


def lost(load: Load, folder: Path) -> tuple[int, int]:
    """Acknowledged answers that the database hasn't got as they were; answers that it has."""
    listeners, answers = read_store(folder)
    names = {one.id: one.participant for one in listeners}
    kept = {(names[one.listener], one.trial): one.values for one in answers}
    missing = [key for key, values in load.acknowledged.items() if kept.get(key) != values]
    return len(missing), len(kept)


def summary(times: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    figures = {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
    return {name: round(1000 * value, 1) for name, value in figures.items()}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--sounds", action="store_true", help="load each stimulus, too")
    parser.add_argument("--kill", action="store_true", help="SIGKILL half-way")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        test = make_test(folder)
        process, port = start_server(folder, 0)
        load = Load(test, port, options)
        process = asyncio.run(drive(load, folder, process))
        n_lost, n_kept = lost(load, folder)  # before the end, as an experimenter would look
        process.terminate()
        figures = {
            "listeners": options.listeners,
            "seconds": options.seconds,
            "think": options.think,
            "sessions": load.sessions,
            "acknowledged": len(load.acknowledged),
            "kept": n_kept,
            "lost": n_lost,
            "answers_per_second": round(len(load.times["answer"]) / options.seconds, 1),
            "milliseconds": {kind: summary(t) for kind, t in load.times.items() if len(t) > 1},
            "responses": dict(load.seen),
            "server_exit": process.wait(),
        }
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    expected = {"answer 201", "session 201", "sound 200"}
    if n_lost or (load.seen.keys() - expected and not options.kill):
        raise SystemExit("answers were lost, or requests refused")


if __name__ == "__main__":
    main()
