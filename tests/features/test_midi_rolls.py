"""Piano rolls of MIDI files, and what a conversion leaves of a song: each note by a rule."""

import itertools
from pathlib import Path

import mido
import numpy as np
import pytest
import torch
from mido import Message, MetaMessage
from tiny_model import make_cli

from voiceconv.converter import FileConverter
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, Features
from voiceconv.features.midi import Song
from voiceconv.features.piano_roll import PianoRoll

TICKS = 480
SIXTEENTH = TICKS // 4
ROLL = PianoRoll()
C4 = 60 - ROLL.lowest


def make(path: Path, *tracks: list, kind: int = 1, ticks: int = TICKS, metre=(4, 4)) -> Path:
    """A file of tracks of (tick, message)."""
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    head = [(0, MetaMessage("time_signature", numerator=metre[0], denominator=metre[1]))]
    for number, timed in enumerate(tracks):
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted([*(head if not number else []), *timed], key=lambda x: x[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    path.parent.mkdir(exist_ok=True)
    file.save(path)
    return path


def note(pitch: int, first: float, end: float, velocity: int = 90, channel: int = 0) -> list:
    """From step to step."""
    on = Message("note_on", note=pitch, velocity=velocity, channel=channel)
    off = Message("note_off", note=pitch, velocity=0, channel=channel)
    return [(round(first * SIXTEENTH), on), (round(end * SIXTEENTH), off)]


def heard(path: Path) -> list[tuple[int, float, float, int, int, int]]:
    """Pitch, first step, end, velocity, track, channel of every note, drums too, by time."""
    notes = []
    for number, track in enumerate(mido.MidiFile(path).tracks):
        now, open_notes = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                open_notes.setdefault((message.note, message.channel), []).append(
                    (now, message.velocity)
                )
            elif message.type in ("note_on", "note_off"):
                start, velocity = open_notes[message.note, message.channel].pop(0)
                place = (message.note, start / SIXTEENTH, now / SIXTEENTH)
                notes.append((*place, velocity, number, message.channel))
        assert not any(open_notes.values())
    return sorted(notes, key=lambda one: (one[1], one[0], one[5]))


def edited(song: Path, output: Path, **cells: tuple[int, list[int], bool]) -> list:
    """The song with cells of rows set; its notes."""
    features = ROLL.read(song)
    for row, steps, value in cells.values():
        features.frames[row, steps] = float(value)
    ROLL.write(output, features, song)
    return heard(output)


def test_a_roll_has_its_pitches_and_whole_bars(tmp_path):
    song = make(tmp_path / "a.mid", note(60, 0, 4), note(24, 4.4, 5.6) + note(107, 16.6, 17.0))
    frames = ROLL.read(song).frames
    assert frames.shape == (84, 32)
    assert frames.nonzero().tolist() == [[0, 4], [0, 5], *([C4, t] for t in range(4)), [83, 17]]
    assert ROLL.read(song, 0.5, 1.0).frames.equal(frames[:, 4:8])
    assert PianoRoll(lowest=60, n_pitches=12).read(song).frames.shape == (12, 16)


@pytest.mark.parametrize("kind", [0, 1])
def test_what_is_not_changed_is_the_same_message_by_message(tmp_path, kind):
    tempo = [
        (0, MetaMessage("set_tempo", tempo=500000)), (900, MetaMessage("set_tempo", tempo=400000)),
        (0, MetaMessage("track_name", name="Lead")), (5, Message("program_change", program=40)),
        (300, Message("pitchwheel", pitch=500)), (310, Message("control_change", control=7)),
        (700, MetaMessage("lyrics", text="la")), (701, Message("sysex", data=(1, 2, 3))),
    ]  # fmt: skip
    played = note(60, 0, 3.3, 77) + note(60, 3.4, 3.6) + note(64, 1.2, 7.7) + note(64, 2, 5)
    song = make(tmp_path / "a.mid", tempo + played + note(36, 0, 1, channel=9), kind=kind)
    ROLL.write(tmp_path / "b.mid", ROLL.read(song), song)
    before, after = (mido.MidiFile(tmp_path / name) for name in ("a.mid", "b.mid"))
    assert [list(track) for track in before.tracks] == [list(track) for track in after.tracks]
    assert (before.type, before.ticks_per_beat) == (after.type, after.ticks_per_beat)


def test_a_note_is_taken_out_shortened_or_cut(tmp_path):
    song = make(
        tmp_path / "a.mid", note(60, 0.1, 8.1, 50) + note(64, 0, 4, 60) + note(67, 0, 4, 70)
    )
    cells = {
        "a": (C4, [2, 3], False),
        "b": (C4 + 4, [0, 1, 2, 3], False),
        "c": (C4 + 7, [3], False),
    }
    assert edited(song, tmp_path / "b.mid", **cells) == [
        (67, 0, 3, 70, 0, 0), (60, 0.1, 2, 50, 0, 0), (60, 4, 8.1, 50, 0, 0),
    ]  # fmt: skip


def test_a_cell_after_a_note_makes_it_longer(tmp_path):
    song = make(tmp_path / "a.mid", note(60, 0, 1.9, 50) + note(60, 6, 8, 51))
    cells = {"a": (C4, [2, 3], True), "b": (C4, [5], True)}
    assert edited(song, tmp_path / "b.mid", **cells) == [
        (60, 0, 4, 50, 0, 0), (60, 5, 6, 50, 0, 0), (60, 6, 8, 51, 0, 0),
    ]  # fmt: skip


def test_a_new_note_is_played_by_the_nearest_voice_of_its_bar_as_loud_as_the_bar(tmp_path):
    song = make(
        tmp_path / "a.mid",
        note(72, 0, 4, 100) + note(76, 16, 20, 90),
        note(40, 0, 4, 50, 1) + note(43, 0, 4, 60, 1),
    )
    cells = {"a": (48 - 24, [8, 9], True), "b": (70 - 24, [8], True), "c": (45 - 24, [18], True)}
    new = [one for one in edited(song, tmp_path / "b.mid", **cells) if one[0] in (48, 70, 45)]
    assert new == [(48, 8, 10, 70, 1, 1), (70, 8, 9, 70, 0, 0), (45, 18, 19, 90, 0, 0)]


def test_drums_and_notes_beside_the_roll_stay(tmp_path):
    others = note(20, 0, 2) + note(110, 2, 4) + note(38, 0, 1, channel=9)
    song = make(tmp_path / "a.mid", others + note(60, 0, 4))
    silent = {"a": (C4, [0, 1, 2, 3], False)}
    assert [one[0] for one in edited(song, tmp_path / "b.mid", **silent)] == [20, 38, 110]


def test_unisons_and_notes_faster_than_a_step_stay_if_their_cell_stays(tmp_path):
    quick = [one for n in range(4) for one in note(60, n / 4, n / 4 + 0.2, 40 + n)]
    song = make(tmp_path / "a.mid", quick + note(67, 0, 4), note(67, 0, 2, 33, 1))
    made = edited(song, tmp_path / "b.mid", a=(C4 + 7, [3], False))
    assert [one[3] for one in made if one[0] == 60] == [40, 41, 42, 43]
    assert [one[1:] for one in made if one[0] == 67] == [(0, 3, 90, 0, 0), (0, 2, 33, 1, 1)]


def test_a_part_is_changed_and_the_rest_stays(tmp_path):
    song = make(tmp_path / "a.mid", note(60, 0, 16) + note(62, 16, 32) + note(64, 32, 48))
    part = ROLL.read(song, 2.0, 4.0)
    ROLL.write(tmp_path / "b.mid", Features(torch.zeros(84, 16), part.tracks), song)
    assert [one[:3] for one in heard(tmp_path / "b.mid")] == [(60, 0, 16), (64, 32, 48)]


def test_a_note_without_an_end_lasts_to_the_end_of_its_track(tmp_path):
    on = [(0, Message("note_on", note=60, velocity=50))]
    song = make(tmp_path / "a.mid", on + [(8 * SIXTEENTH, MetaMessage("end_of_track"))])
    assert ROLL.read(song).frames[C4].sum() == 8
    assert edited(song, tmp_path / "b.mid", a=(C4, [7], False)) == [(60, 0, 7, 50, 0, 0)]


def test_only_given_metres_are_learnt_from_and_all_are_converted(tmp_path):
    waltz = make(tmp_path / "a.mid", note(60, 0, 4), metre=(3, 4))
    node = {"_target_": "voiceconv.features.piano_roll.PianoRoll", "metres": ["4/4"]}
    strict = PianoRoll(metres=["4/4"])
    with pytest.raises(InputError, match="a.mid is in 3/4, and features.metres has 4/4"):
        strict.read(waltz)
    assert strict.node(node) == {"_target_": node["_target_"]}
    assert ROLL.read(waltz).frames.sum() == 4


def test_notes_between_the_steps_of_a_file_are_on_steps_of_their_own(tmp_path):
    """As of a transcription with the right tempo, whose first bar begins anywhere."""
    bar = [(60, 0, 8), (64, 8, 10), (65, 10, 12), (67, 12, 14), (64, 14, 15), (62, 15, 16)]
    tune = [(pitch, 16 * n + a, 16 * n + b) for n in range(4) for pitch, a, b in bar]
    straight = make(tmp_path / "a.mid", [x for one in tune for x in note(*one)])
    for shift in (5.3, 20.5, 31.7):
        played = [x for p, a, b in tune for x in note(p, a + shift, b + shift)]
        late = make(tmp_path / "b.mid", played)
        assert ROLL.read(late).frames.equal(ROLL.read(straight).frames)
        ROLL.write(tmp_path / "c.mid", ROLL.read(late), late)
        assert heard(tmp_path / "c.mid") == heard(late)
        made = edited(late, tmp_path / "c.mid", a=(C4, [2, 3], False), b=(C4 + 1, [20], True))
        start = round(shift * SIXTEENTH) / SIXTEENTH
        assert made[0][:3] == (60, start, pytest.approx(start + 2, abs=0.01))
        assert [one[1] for one in made if one[0] == 61] == [pytest.approx(start + 20, abs=0.01)]


def test_an_upbeat_keeps_the_bars_of_its_file(tmp_path):
    song = make(tmp_path / "a.mid", note(60, 12, 16) + note(64, 16, 24))
    assert ROLL.read(song).frames.nonzero()[:, 1].tolist() == [*range(12, 16), *range(16, 24)]


def test_a_swung_song_and_a_late_one_keep_the_bars_of_their_file(tmp_path):
    """Long notes on the second beat would make it the first, were bars looked for."""
    swung = [x for k in range(32) for x in note(60 + k % 5, 4 * k, 4 * k + 2.6)]
    swung += [
        x for k in range(32) for x in note(62, 4 * k + 8 / 3, 4 * k + (6 if k % 4 == 1 else 4))
    ]
    assert ROLL.read(make(tmp_path / "a.mid", swung)).frames[C4, 0] == 1
    late = [x for k in range(8) for x in note(60, 16 * k + 0.13, 16 * k + 4)]
    late += [x for k in range(8) for x in note(64, 16 * k + 4.13, 16 * k + 12)]
    assert ROLL.read(make(tmp_path / "b.mid", late)).frames[C4 : C4 + 5, 0].tolist() == [
        1,
        0,
        0,
        0,
        0,
    ]


def test_a_start_without_its_end_ends_where_the_next_starts(tmp_path):
    lost = [note(60, 0, 9)[0], *note(60, 2, 4), *note(60, 8, 9), *note(60, 12, 13)]
    song = Song.read(make(tmp_path / "a.mid", lost))
    assert [(one.start / SIXTEENTH, one.end / SIXTEENTH) for one in song.notes] == [
        (0, 2), (2, 4), (8, 9), (12, 13),
    ]  # fmt: skip


def test_what_is_longer_or_new_ends_where_the_next_note_of_its_key_starts(tmp_path):
    early = note(60, 0, 4) + note(60, 5.6, 8) + note(60, 13.6, 16)
    song = make(tmp_path / "a.mid", early)
    made = edited(song, tmp_path / "b.mid", a=(C4, [4, 5], True), b=(C4, [12, 13], True))
    assert [one[1:3] for one in made] == [(0, 5.6), (5.6, 8), (12, 13.6), (13.6, 16)]


def test_of_notes_within_a_step_the_last_is_made_longer(tmp_path):
    song = make(tmp_path / "a.mid", note(60, 0, 0.2) + note(60, 0.25, 0.5))
    made = edited(song, tmp_path / "b.mid", a=(C4, [1, 2], True))
    assert [one[1:3] for one in made] == [(0, 0.2), (0.25, 3)]


def test_a_held_voice_plays_in_all_its_bars(tmp_path):
    song = make(tmp_path / "a.mid", note(72, 0, 32, 100), note(40, 16, 20, 50, 1))
    made = edited(song, tmp_path / "b.mid", a=(74 - 24, [24], True))
    assert [one for one in made if one[0] == 74] == [(74, 24, 25, 75, 0, 0)]


@pytest.mark.parametrize("jitter", [0, 40])
def test_any_change_of_any_song_is_read_again_and_leaves_nothing_hanging(tmp_path, jitter):
    """Drawn songs of several tracks and channels, drawn changes of two bars; jitter in ticks."""
    for seed in range(25):
        rng = np.random.default_rng([seed, jitter])
        tracks, busy = [[] for _ in range(3)], np.zeros((128, 200), bool)
        for _ in range(40):
            first, length, pitch = rng.integers(0, 40), rng.integers(1, 10), rng.integers(58, 66)
            if busy[pitch, first : first + length + 1].any():
                continue
            busy[pitch, first : first + length + 1] = True
            moved = rng.integers(-jitter, jitter + 1, 2) / SIXTEENTH
            start, end = max(0, first + moved[0]), first + length + moved[1]
            track = int(rng.integers(3))
            tracks[track] += note(int(pitch), start, end, int(rng.integers(1, 128)), track)
        song = make(tmp_path / "a.mid", *tracks)
        features = ROLL.read(song)
        flips = torch.from_numpy(rng.random((16, 32)) < rng.choice([0.02, 0.3])).float()
        features.frames[30:46, :32] = (features.frames[30:46, :32] - flips).abs()
        wanted = features.frames
        ROLL.write(tmp_path / "b.mid", features, song)
        notes = heard(tmp_path / "b.mid")  # which finds an end for each start, and no other
        assert all(one[1] < one[2] for one in notes)
        for one, other in itertools.pairwise(sorted(notes, key=lambda x: (x[0], x[4:], x[1]))):
            assert (one[0], one[4:]) != (other[0], other[4:]) or one[2] <= other[1]
        if jitter == 0:
            again = ROLL.read(tmp_path / "b.mid").frames
            n_frames = min(again.shape[1], wanted.shape[1])
            assert again[:, :n_frames].equal(wanted[:, :n_frames])
            assert not again[:, n_frames:].any() and not wanted[:, n_frames:].any()


def chunk(events: bytes, *, kind: int = 0, ticks: bytes = b"\1\xe0", n: int = 1) -> bytes:
    """A file of n equal tracks."""
    track = b"MTrk" + len(events).to_bytes(4, "big") + events
    return b"MThd\0\0\0\6\0" + bytes([kind, 0, n]) + ticks + n * track


END = b"\0\xff\x2f\0"
PLAYED = b"\0\x90\x3c\x50\x83\x60\x80\x3c\0"


def test_real_time_messages_are_left_out_and_named(tmp_path, caplog):
    (tmp_path / "a.mid").write_bytes(chunk(b"\0\xf8" + PLAYED + END))
    assert edited(tmp_path / "a.mid", tmp_path / "b.mid") == [(60, 0, 4, 80, 0, 0)]
    assert "a.mid: 1 real-time messages, which no file may have, are left out" in caplog.text


def test_bytes_that_no_message_has_are_named(tmp_path, caplog):
    (tmp_path / "a.mid").write_bytes(chunk(b"\0\xb0\x07\xf0" + PLAYED + END))
    assert len(edited(tmp_path / "a.mid", tmp_path / "b.mid")) == 1
    assert "a.mid: bytes above 127 in its messages are taken as 127" in caplog.text


def test_several_tracks_of_type_0_are_of_type_1(tmp_path):
    (tmp_path / "a.mid").write_bytes(chunk(PLAYED + END, n=2))
    assert len(edited(tmp_path / "a.mid", tmp_path / "b.mid")) == 2
    assert mido.MidiFile(tmp_path / "b.mid").type == 1


BROKEN = {
    "empty": (b"", "ends too soon"),
    "text": (b"no MIDI\n" * 20, "MThd not found"),
    "cut": (chunk(PLAYED + END)[:-5], "ends too soon"),
    "key": (chunk(b"\0\xff\x59\2\x09\0" + PLAYED + END), "makes no sense: .* 9"),
    "tempo": (chunk(b"\0\xff\x51\1\x09" + PLAYED + END), "ends too soon"),
    "film": (chunk(PLAYED + END, ticks=b"\xe7\x28"), "frames of film"),
    "no_ticks": (chunk(PLAYED + END, ticks=b"\0\0"), "has 0 ticks in a quarter"),
    "few_ticks": (chunk(PLAYED + END, ticks=b"\0\3"), "has 3 ticks in a quarter .* 4 steps"),
    "type_2": (chunk(PLAYED + END, kind=2), "is of MIDI's type 2"),
    "endless": (chunk(b"\0\x90\x3c\x40\xff\xff\xff\x7f\x90\x3c\0" + END), "quarter notes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, name):
    content, reason = BROKEN[name]
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as refused:
        ROLL.read(path)
    said = str(refused.value)
    assert said.startswith(str(path)) and "\n" not in said


def test_a_song_without_a_note_in_the_roll_is_refused(tmp_path):
    drums = make(tmp_path / "a.mid", note(38, 0, 1, channel=9) + note(20, 0, 1))
    with pytest.raises(InputError, match="a.mid has no note from 24 to 107 that is no drum"):
        ROLL.read(drums)


def test_convert_takes_and_gives_midi_files(tmp_path, monkeypatch, capsys):
    """A network that changes nothing leaves every message."""
    config = {
        "features": {"_target_": "voiceconv.features.piano_roll.PianoRoll"},
        "translator": {"_target_": "voiceconv.models.identity.IdentityTranslator"},
        "vocoder": None,
        "loudness": None,
    }
    stats = dict.fromkeys(("folk", "pop"), DomainStats.neutral(84))
    FileConverter(config, stats).save_pretrained(tmp_path / "model", {})
    song = make(
        tmp_path / "in" / "a.mid", note(60, 0.2, 3) + note(36, 0, 1, channel=9), note(64, 2, 9)
    )
    (tmp_path / "in" / "b.mid").write_text("no MIDI\n" * 20)
    voiceconv = make_cli(monkeypatch, capsys)
    options = ("--model", tmp_path / "model", "--source", "pop", "--target", "folk")
    said = voiceconv("convert", tmp_path / "in", *options, "-o", tmp_path / "out")
    assert said.code == 1 and "b.mid is not readable as a MIDI file (MThd not found" in said.err
    before, after = mido.MidiFile(song), mido.MidiFile(tmp_path / "out/a.mid")
    assert [list(track) for track in before.tracks] == [list(track) for track in after.tracks]
    assert not (tmp_path / "out/b.mid").exists()
