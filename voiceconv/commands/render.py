"""`voiceconv render`: MIDI files to sound, played by FluidSynth with a SoundFont."""

import math
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import mido
from torch import Tensor

from voiceconv import audio
from voiceconv.commands import batch
from voiceconv.commands.jobs import Job, plan
from voiceconv.errors import InputError, RunError
from voiceconv.features.midi import DRUMS, Song, Timed, Voice, track_of
from voiceconv.features.piano_roll import PianoRoll

PLAYER = "fluidsynth"
SOUNDFONTS = (  # where systems have one
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",
)
CHANNELS = range(16)
_SILENCING = (64, 123, 120)  # controllers: pedal, all notes off, all sound off
TEMPO, TICKS = 500_000, 500  # microseconds and ticks of a quarter note: a tick is a millisecond
PEAK = 0.5  # of full scale: programs differ by 20 dB in level
LONGEST = 7200.0  # seconds
TAIL = 1.0  # seconds in which the last notes die away
START = 60.0  # seconds that the player may take, beside those of the song
LEAD = FADE = 0.02  # seconds before the first note, and of a fade at both ends


def render(
    inputs: Sequence[str],
    output: str | None = None,
    soundfont: Path | None = None,
    program: int | None = None,
    melody: bool = False,
    seconds: float | None = None,
    sample_rate: int = 24_000,
    skip_existing: bool = False,
    n_workers: int = 1,
) -> None:
    """Play MIDI files to WAV. Arguments as the command line has them.

    Raises InputError, and RunError where some of several inputs failed.
    """
    font = find_soundfont(soundfont)
    jobs = plan(inputs, output, "rendered", None, extensions=PianoRoll.extensions, into_sound=True)
    reopen = partial(_open, font, program, melody, seconds, sample_rate)
    batch.run(jobs, reopen(), reopen, None, skip_existing, n_workers)


def find_soundfont(given: Path | None) -> Path:
    """A SoundFont, and a program that plays it. Raises InputError without either."""
    remedy = "install them (Debian: apt-get install fluidsynth fluid-soundfont-gm)"
    if not has_player():
        raise InputError(f"MIDI files are played by {PLAYER} and a SoundFont, not found; {remedy}")
    found = [Path(one) for one in SOUNDFONTS if Path(one).exists()] if given is None else [given]
    if not found:
        raise InputError(f"no SoundFont is at hand; {remedy}, or name one by --soundfont")
    if not found[0].is_file():
        raise InputError(f"{found[0]}: no such SoundFont; give a file that ends in .sf2 or .sf3")
    with open(found[0], "rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":  # the player would take one of its own
        raise InputError(f"{found[0]} is no SoundFont; give a file that ends in .sf2 or .sf3")
    return found[0]


def has_player() -> bool:
    """Whether the program is there that plays."""
    return shutil.which(PLAYER) is not None


def _open(
    font: Path, program: int | None, melody: bool, seconds: float | None, sample_rate: int
) -> batch.OpenedFiles:
    """What renders, of arguments that a worker process gets as they are."""

    def convert(job: Job) -> None:
        wave = play(Song.read(Path(job.path)), font, sample_rate, program, melody, seconds)
        if not bool(wave.any()):
            raise InputError(f"{job.path} has nothing to play; {_WANTED}")
        audio.write(job.output, wave, sample_rate)

    return batch.OpenedFiles(convert)


_WANTED = "give a song with notes; drums are played without --program and --melody"


def play(
    song: Song,
    font: Path,
    sample_rate: int,
    program: int | None = None,
    melody: bool = False,
    seconds: float | None = None,
) -> Tensor:
    """A song -> a wave (N,), LEAD before its first note, its peak at PEAK, without reverberation.

    Args:
        song: the file's.
        font: a SoundFont.
        sample_rate: Hz of the wave.
        program: a General MIDI program, 0 to 127, that plays every note, drums left out; None:
            those of the file, and drums.
        melody: only the part whose notes are highest on average.
        seconds: how much is played; None: all, and TAIL.

    Raises InputError for more than LONGEST, and RunError where the player fails.
    """
    return play_piece(*_piece(song, program, melody, seconds), font, sample_rate)


def play_piece(piece: mido.MidiFile, length: float, font: Path, sample_rate: int) -> Tensor:
    """A piece -> so many seconds of it (N,), its peak at PEAK, or silence. Raises RunError."""
    with tempfile.TemporaryDirectory() as folder:
        place, made = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        piece.save(place)
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-r", sample_rate, "-O", "float", "-F", made]
        command = [PLAYER, *map(str, options), str(font.resolve()), str(place)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace",
                stdin=subprocess.DEVNULL, timeout=START + length,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RunError(
                f"{PLAYER} did not end after {START + length:.0f} s; try another --soundfont"
            ) from None
        if done.returncode or not made.exists():
            said = " ".join(done.stderr.split())[:120] or f"exit code {done.returncode}"
            raise RunError(f"{PLAYER} did not play {font} ({said}); try another --soundfont")
        left, right = (audio.read(made, sample_rate, channel=side).samples for side in (0, 1))
        wave = 0.5 * (left + right)[: round(length * sample_rate)]
    peak = wave.abs().max() if len(wave) else 0
    return audio.faded(wave * (PEAK / peak), sample_rate, FADE) if peak else wave


def _piece(
    song: Song, program: int | None, melody: bool, seconds: float | None
) -> tuple[mido.MidiFile, float]:
    """What is played, from LEAD before the first note on, and how many seconds it lasts."""
    voices = {_highest(song)} if melody and song.notes else None
    drums = program is None and not melody
    timed = list(_in_seconds(song))
    starts = [
        now for now, voice, message in timed if _plays(message, voice, voices, drums)
        and message.type == "note_on" and message.velocity
    ]  # fmt: skip
    first = min(starts, default=0.0) - LEAD
    last = max((now for now, *_ in timed), default=0.0)
    length = min(last - first + TAIL, math.inf if seconds is None else seconds)
    if length > LONGEST:
        raise InputError(
            f"the song lasts {length / 3600:.1f} hours; give --seconds, {LONGEST:g} at most"
        )
    events: list[Timed] = [(0, mido.MetaMessage("set_tempo", tempo=TEMPO))]
    if program is not None:
        change = mido.Message("program_change", program=program)
        events += [(0, change.copy(channel=channel)) for channel in CHANNELS if channel != DRUMS]
    for now, voice, message in timed:
        if message.type in ("note_on", "note_off"):
            wanted = _plays(message, voice, voices, drums)
        else:
            # A reset among SysEx would take the program away.
            is_of_channel = hasattr(message, "channel") and message.type != "program_change"
            wanted = not message.is_meta and (program is None or is_of_channel)
        if wanted and now - first < length:
            events.append((max(round(1000 * (now - first)), 0), message))
    end = round(1000 * length)
    for control in _SILENCING:  # a note that is held at its end would be played for ever
        silent = mido.Message("control_change", control=control, value=0)
        events += [(end, silent.copy(channel=channel)) for channel in CHANNELS]
    piece = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    piece.tracks.append(track_of(events, end))
    return piece, length


def _plays(message: mido.Message, voice: Voice, voices: set[Voice] | None, drums: bool) -> bool:
    """Whether a note is one of those to be played."""
    if message.type not in ("note_on", "note_off"):
        return False
    return drums if message.channel == DRUMS else voices is None or voice in voices


def _highest(song: Song) -> Voice:
    """The voice whose notes are highest on average."""
    pitches: defaultdict[Voice, list[int]] = defaultdict(list)
    for note in song.notes:
        pitches[note.voice].append(note.pitch)
    return max(pitches, key=lambda voice: sum(pitches[voice]) / len(pitches[voice]))


def _in_seconds(song: Song) -> Iterator[tuple[float, Voice, mido.Message]]:
    """All messages in order of time, at their seconds, of their voice."""
    timed = sorted(
        (
            (tick, number, message)
            for number, track in enumerate(song.tracks)
            for tick, message in track
        ),
        key=lambda one: one[0],
    )
    now, before, tempo = 0.0, 0, TEMPO
    for tick, number, message in timed:
        now += mido.tick2second(tick - before, song.ticks_per_quarter, tempo)
        before = tick
        if message.type == "set_tempo":
            tempo = message.tempo
        yield now, Voice(number, getattr(message, "channel", -1)), message
