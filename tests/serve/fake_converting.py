"""The program that converts, without torch: an upload is a line that says what happens to it.

ok            a result
unlike        a result of what is no speech
slow SECONDS  a result after so long, with progress on the way
wrong         as of a file that is no sound
die           the process is killed
die once      the same, at the first attempt
hang          no message ever comes
"""

import json
import os
import signal
import sys
import time
import wave
from pathlib import Path

from voiceconv.serve import wire

MODELS = [
    {
        "name": name,
        "targets": ["high", "low"],
        "sample_rate": 24000,
        "streams": name == "tiny",
        "look_aheads": [0, 20, 60] if name == "tiny" else [],
        "latency": 40.0 if name == "tiny" else None,
    }
    for name in ("tiny", "other")
]


def write(name: str) -> None:
    with wave.open(name, "wb") as file:
        file.setparams((1, 2, 24000, 0, "NONE", ""))
        file.writeframes(bytes(4800))


def work(channel: wire.Channel, line: str) -> dict[str, object]:
    verb, _, more = line.partition(" ")
    if line == "die" or (line == "die once" and not Path("died").exists()):
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "hang":
        time.sleep(60)
    if verb == "wrong":
        return {"error": "upload is no sound file; convert it", "fault": "client"}
    n_steps = round(float(more) / 0.02) if verb == "slow" else 1
    channel.send({"duration": 0.1})
    if verb == "unlike":
        channel.send({"likeness": {"percentile": 100.0, "is_out_of_domain": True, "reason": "x"}})
    for step in range(n_steps):
        if not Path("upload").exists():
            return {"error": "cancelled", "fault": "client"}
        time.sleep(0.02 if verb == "slow" else 0)
        channel.send({"progress": step / n_steps})
    write("source.wav")
    write("result.wav")
    Path("analysis.json").write_text(json.dumps({"frame_period": 0.01, "line": line}))
    return {"done": True}


def main() -> None:
    channel = wire.opened()
    settings, _ = channel.receive()
    if "nowhere" in settings["given"]:
        channel.send({"refused": "no model 'nowhere'"})
        return
    channel.send({"models": MODELS})
    while True:
        task, _ = channel.receive()
        os.chdir(task["folder"])
        channel.send(work(channel, Path("upload").read_text().strip()))


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        sys.exit()
