"""The program that converts: `python -m voiceconv.serve.converting`, one job at a time.

It gets {"folder", "model", "target", "strength", "semitones"} and sends {"progress"}, {"duration"},
{"likeness"} where the model tells, and at last {"done"} or {"error", "fault"}: of the client, or of
the server.
"""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from voiceconv import audio
from voiceconv.converter import Converter
from voiceconv.converter.conversion import Conversion
from voiceconv.errors import InputError
from voiceconv.files import replace_text
from voiceconv.serve import wire
from voiceconv.serve.analysis import BANDS, FRAME_PERIOD, analysis
from voiceconv.serve.jobs import ANALYSIS, RESULT, SOURCE, UPLOAD
from voiceconv.serve.models import Models
from voiceconv.workers import describe

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

NICE = 15  # a live stream on the same core gets 28 times as much of it
MEMORY = 2 << 30  # bytes beyond what the models take
STRENGTH = "strength"  # a condition of some translators


class CancelledError(Exception):
    """The upload is gone: nobody waits for the conversion."""


def main() -> None:
    """Convert until the server ends."""
    channel = wire.opened()
    _give_way()
    logging.getLogger("voiceconv").setLevel(logging.ERROR)  # remarks about clients' recordings
    settings, _ = channel.receive()
    try:
        models = Models(settings["given"])
        channel.send({"models": models.described()})
    except InputError as error:
        channel.send({"refused": str(error)})
        return
    _limit_memory()
    with suppress(EOFError, BrokenPipeError):
        while True:
            task, _ = channel.receive()
            channel.send(_handled(channel, models, task, settings["most_seconds"]))


def _handled(
    channel: wire.Channel, models: Models, task: wire.Message, most_seconds: float
) -> wire.Message:
    """Do a task; the last message about it."""
    try:
        os.chdir(task["folder"])  # so messages name no folder of ours
        _convert(channel, models, task, most_seconds)
        return {"done": True}
    except CancelledError:
        return {"error": "cancelled", "fault": "client"}
    except InputError as error:
        return {"error": str(error), "fault": "client"}
    except BrokenPipeError:
        raise
    except (Exception, MemoryError) as error:
        if not Path(UPLOAD).exists():
            return {"error": "cancelled", "fault": "client"}
        return {"error": f"the conversion failed ({describe(error)[:200]})", "fault": "server"}


def _convert(
    channel: wire.Channel, models: Models, task: wire.Message, most_seconds: float
) -> None:
    """The upload in the working directory -> the source, the result and the analysis of both."""

    def report(share: float) -> None:
        if not Path(UPLOAD).exists():
            raise CancelledError
        channel.send({"progress": share})

    converter = models[task["model"]]
    converter.check_domains(task["target"])
    converter.check_semitones(task["semitones"])
    condition = _condition(converter, task["strength"])
    audio.refuse_longer(UPLOAD, most_seconds)
    rate = converter.sample_rate
    wave = audio.read(UPLOAD, rate).samples
    channel.send({"duration": len(wave) / rate})
    report(0.05)
    noted: list[Conversion] = []
    converted = converter.convert(
        wave,
        task["target"],
        progress=lambda share: report(0.05 + 0.8 * share),
        semitones=task["semitones"],
        condition=condition,
        name="the recording",
        noted=noted.append,
    )
    if verdict := noted[0].verdict:
        channel.send({"likeness": verdict._asdict()})
    audio.write(SOURCE, wave, rate)
    chosen = {"strength": task["strength"], "semitones": task["semitones"] or None}
    stamp = models.stamp(task["model"], target=task["target"], **chosen)
    stamp.write(RESULT, converted, rate)
    report(0.9)
    pictures = {"source": analysis(wave, rate), "result": analysis(converted, rate)}
    both: dict[str, Any] = {"frame_period": FRAME_PERIOD, "bands": BANDS, **pictures}
    replace_text(ANALYSIS, json.dumps(both))


def _condition(converter: Converter, strength: float | None) -> dict[str, torch.Tensor]:
    default = converter.translator.default_condition().get(STRENGTH)
    if strength is None:
        return {}
    if default is None:
        raise InputError(f"strength {strength:g}: this model takes none; leave it out")
    return {STRENGTH: torch.full_like(default, strength)}


def _give_way() -> None:
    """Lower the priority: of this process, and of its session, if Linux schedules these first."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


def _limit_memory() -> None:
    """A file that makes decoding or converting take too much fails by itself."""
    if resource is None or not Path("/proc/self/status").exists():
        return
    status = Path("/proc/self/status").read_text()
    (now,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
    most = now * 1024 + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main()
