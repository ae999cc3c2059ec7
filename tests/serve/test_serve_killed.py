"""The server is killed in the middle of everything, and started again."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from served import Served, wait

HERE = Path(__file__).parent
PATHS = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, PATHS))}


class Process:
    """`voiceconv serve` with fakes in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / "fake_server.py", folder, "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"serving: http://127\.0\.0\.1:(\d+)/\n", line)
        assert found, line
        self.client = Served(None, int(found[1]))  # type: ignore[arg-type]

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_all_acknowledged_jobs_finish_after_a_restart(tmp_path, how):
    first = Process(tmp_path)
    jobs = [first.client.start(line) for line in ["ok", "slow 1.5", "ok", "ok", "wrong", "ok"]]
    done = first.client.ended(jobs[0])
    wait(lambda: first.client.state(jobs[1])["progress"] > 0)
    with socket.create_connection(("127.0.0.1", first.client.port)) as upload:
        upload.sendall(
            b"POST /api/jobs?target=high HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 90\r\n\r\nhalf"
        )
        wait(lambda: len(os.listdir(tmp_path / "jobs")) == 7)
        code = first.end(how)
    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    second = Process(tmp_path)
    try:
        states = [second.client.ended(job) for job in jobs]
        assert [one["state"] for one in states] == ["done"] * 4 + ["failed", "done"]
        assert states[0] == done
        assert len(os.listdir(tmp_path / "jobs")) == 6
        for job in (jobs[0], jobs[1]):
            reply = second.client.call("GET", f"{job[0]}/result.wav", token=job[1])
            assert reply.status == 200 and len(reply.body) == 44 + 4800
    finally:
        second.end(signal.SIGTERM)


def test_programs_end_with_the_server_and_a_folder_has_one(tmp_path):
    first = Process(tmp_path)
    tree = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(first.process.pid)], capture_output=True, text=True
    )
    pids = [int(one) for one in tree.stdout.split()]
    assert len(pids) >= 1
    second = subprocess.run(
        [sys.executable, HERE / "fake_server.py", tmp_path, "0"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert "another process is serving" in second.stderr
    first.end(signal.SIGKILL)
    wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
