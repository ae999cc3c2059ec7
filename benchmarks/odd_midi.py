"""Odd MIDI files through `voiceconv convert`: what happens to each, as a table.

python benchmarks/odd_midi.py OUT --model RUN --target DOMAIN [--songs FOLDER]

RUN is a model of piano rolls. Writes the odd files to OUT/in, converts each, and prints the exit
code, how many notes went in and came out, how many messages that are no notes did, and the words
of an error. --songs: ten files of a folder, too.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mido
from mido import Message, MetaMessage

from voiceconv.features.midi import Timed, track_of

TICKS = 480


def note(pitch: int, start: float, end: float, channel: int = 0, velocity: int = 80) -> list[Timed]:
    """In quarters."""
    return [
        (round(start * TICKS), Message("note_on", note=pitch, velocity=velocity, channel=channel)),
        (round(end * TICKS), Message("note_off", note=pitch, velocity=0, channel=channel)),
    ]


def tune(bars: int, quarters: int = 4, channel: int = 0) -> list[Timed]:
    """A scale that goes round."""
    n = bars * quarters
    return [
        one for k in range(n) for one in note(60 + (0, 2, 4, 5, 7, 9, 11)[k % 7], k, k + 1, channel)
    ]


def file_of(*tracks: list[Timed], kind: int = 1, metre: tuple[int, int] = (4, 4)) -> mido.MidiFile:
    """A file of tracks."""
    made = mido.MidiFile(type=kind, ticks_per_beat=TICKS)
    head = (0, MetaMessage("time_signature", numerator=metre[0], denominator=metre[1]))
    for number, timed in enumerate(tracks):
        ordered = sorted(timed, key=lambda one: one[0])
        made.tracks.append(track_of(ordered if number else [head, *ordered]))
    return made


def odd_files() -> Iterator[tuple[str, mido.MidiFile | bytes]]:
    """Name and content of each."""
    yield "one note", file_of(note(60, 0, 1))
    yield "3-4", file_of(tune(8, 3), metre=(3, 4))
    changes = [(k * TICKS, MetaMessage("set_tempo", tempo=400_000 + 10_000 * k)) for k in range(32)]
    yield "tempo map", file_of(changes + tune(8))
    yield "200 tracks", file_of(*(tune(2, channel=k % 16) for k in range(200)))
    yield "type 0", file_of(tune(8) + note(36, 0, 1, 9), kind=0)
    yield (
        "running status",
        _chunks(b"\0\x90\x3c\x50\x83\x60\x3c\0\0\x40\x50\x83\x60\x40\0\0\xff\x2f\0"),
    )
    yield "bad length", _chunks(b"\0\x90\x3c\x50\x83\x60\x3c\0\0\xff\x2f\0", stated=500)
    yield "percussion only", file_of([one for k in range(16) for one in note(38, k, k + 1, 9)])
    yield "no notes", file_of([(0, MetaMessage("track_name", name="nothing"))])
    bends = [(k * 60, Message("pitchwheel", pitch=(k % 64) * 100)) for k in range(512)]
    yield "pitch bends", file_of(bends + tune(8))
    yield "30 minutes", file_of(tune(900))
    yield "text", b"this is no MIDI file\n" * 30


def _chunks(events: bytes, stated: int | None = None) -> bytes:
    head = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk"
    return head + (len(events) if stated is None else stated).to_bytes(4, "big") + events


def counts(path: Path) -> tuple[int, int]:
    """Notes, and messages that are none."""
    messages = [message for track in mido.MidiFile(path).tracks for message in track]
    is_note = [message.type in ("note_on", "note_off") for message in messages]
    starts = [m for m in messages if m.type == "note_on" and m.velocity]
    return len(starts), len(messages) - sum(is_note)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--songs", type=Path, help="a folder of MIDI files; its first ten")
    options = parser.parse_args()
    given, made = options.out / "in", options.out / "out"
    for folder in (given, made):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in odd_files():
        path = given / f"{name}.mid"
        path.write_bytes(content) if isinstance(content, bytes) else content.save(path)
    paths = sorted(given.iterdir())
    if options.songs:
        paths += sorted(options.songs.glob("*.mid"))[:10]
    print("| file | exit | notes | other messages | said |\n| --- | --- | --- | --- | --- |")
    for path in paths:
        output = made / path.name
        output.unlink(missing_ok=True)
        command = [sys.executable, "-m", "voiceconv", "convert", path, "-o", output]
        ended = subprocess.run(
            [*map(str, command), "--model", options.model, "--target", options.target],
            capture_output=True,
            text=True,
        )
        said = ended.stderr.strip().splitlines()[-1:] if ended.returncode else []
        cells = ["", ""]
        if output.exists():
            pairs = zip(counts(path), counts(output), strict=True)
            cells = [f"{before} to {after}" for before, after in pairs]
        print(f"| {path.stem} | {ended.returncode} | {' | '.join(cells)} | {' '.join(said)} |")


if __name__ == "__main__":
    main()
