"""`voiceconv genre page`: scores, pictures and players of a model's conversions of genres."""

import tempfile
from pathlib import Path

import mido
from torch import Tensor

from voiceconv import audio
from voiceconv.commands.render import TAIL, TEMPO, TICKS, find_soundfont, has_player, play_piece
from voiceconv.errors import InputError
from voiceconv.features.midi import Timed, track_of
from voiceconv.features.piano_roll import PianoRoll
from voiceconv.genre import Classifier, score
from voiceconv.genre.scores import Network, examples
from voiceconv.optional import load
from voiceconv.progress import progress_bar

STEP = 125  # ms of a sixteenth, at 120 quarters a minute
LOUD, RATE = 80, 24_000  # MIDI velocity; Hz


def write_genre_page(
    dump: Path,
    classifier: Path,
    model: Path,
    output: Path,
    n: int,
    split: str = "test",
    soundfont: Path | None = None,
) -> bool:
    """Write the page; whether it has players, which take FluidSynth and a SoundFont.

    n: phrases of each direction. Raises InputError, also without the extra `report`.
    """
    page = load("voiceconv.genre.page", "a page", extra="report")
    judge, name = Classifier.read(classifier), model.resolve().name
    font = None
    try:
        font = find_soundfont(soundfont)
    except InputError:
        if soundfont is not None and has_player():
            raise
    rows = score(dump, judge, {name: model}, split)
    shown = examples(dump, judge, Network(model, judge.domains), n, split)
    play = None if font is None else lambda roll: _flac(roll, font)
    with progress_bar("page") as progress:
        page.write_page(output, name, rows, shown, play, progress)
    return font is not None


def piece_of(roll: Tensor) -> tuple[mido.MidiFile, float]:
    """A roll (C, T) of 0 and 1 -> a piece for a piano, and how many seconds it lasts."""
    lowest, steps = PianoRoll().lowest, roll.shape[1]
    before = roll.new_zeros(len(roll), 1)
    changes = roll.gt(0).float().diff(dim=1, prepend=before, append=before)
    events: list[Timed] = [(0, mido.MetaMessage("set_tempo", tempo=TEMPO))]
    for row, step in changes.nonzero().tolist():
        kind = "note_on" if changes[row, step] > 0 else "note_off"
        message = mido.Message(kind, note=row + lowest, velocity=LOUD)
        events.append((STEP * step, message))
    events.sort(key=lambda one: (one[0], one[1].type == "note_on"))  # what ends, first
    piece = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    seconds = steps * STEP / 1000 + TAIL
    piece.tracks.append(track_of(events, round(1000 * seconds)))
    return piece, seconds


def _flac(roll: Tensor, font: Path) -> bytes:
    """A roll (C, T) -> a sound file."""
    wave = play_piece(*piece_of(roll), font, RATE)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "phrase.flac"
        audio.write(place, wave, RATE)
        return place.read_bytes()
