"""A stand-in for FluidSynth that plays a sine for each note, for machines that have none."""

import os
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `fluidsynth` that runs this file first on the path, and name a SoundFont."""
    folder.mkdir()
    program = folder / "fluidsynth"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' \"$@\"\n")
    program.chmod(0o755)
    (folder / "none.sf2").write_bytes(b"RIFF\0\0\0\0sfbk")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SOUNDFONT", str(folder / "none.sf2"))


def main(options: list[str]) -> None:
    """Harmonics by program, a level by velocity. A note that never ends fails: it has no end."""
    rate = int(options[options.index("-r") + 1])
    song = mido.MidiFile(options[-1])
    wave, now, program = np.zeros(round(rate * song.length) + 1), 0.0, 0
    sounding: dict[tuple[int, int], tuple[float, int]] = {}
    for message in song:
        now += message.time
        ended: list[tuple[int, int]] = []
        if message.type == "program_change":
            program = message.program
        elif message.type == "control_change" and message.control == 120:
            ended = [key for key in sounding if key[0] == message.channel]
        elif message.type == "note_on" and message.velocity:
            sounding[message.channel, message.note] = now, message.velocity
        elif message.type in ("note_on", "note_off"):
            ended = [(message.channel, message.note)]
        for key in ended:
            began, velocity = sounding.pop(key, (now, 0))
            t = np.arange(round(began * rate), round(now * rate)) / rate
            f0 = 440 * 2 ** ((key[1] - 69) / 12)
            tone = np.sin(2 * np.pi * f0 * t) + program / 127 * np.sin(4 * np.pi * f0 * t)
            wave[round(began * rate) :][: len(t)] += velocity * tone / 1e4
    assert not sounding
    soundfile.write(options[options.index("-F") + 1], np.stack([wave, wave], 1), rate, "FLOAT")


if __name__ == "__main__":
    main(sys.argv[1:])
