"""Utterances with pictures and sound: find their recordings, make pictures and players."""

import base64
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from torch import Tensor

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram
from voiceconv.files import plain_name
from voiceconv.metrics.analysis import find_f0
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition
from voiceconv.report.plots import utterance_picture
from voiceconv.report.run import MODEL, Direction, Run
from voiceconv.report.tables import as_text, measure
from voiceconv.report.utterances import LISTED, Chosen, choose

BUDGET = 14_000_000  # characters of pictures and sound; keeps the page below 15 MB
LONGEST = 15.0  # seconds of an utterance in pictures and players
HIGHEST_RATE = 24_000  # Hz of the players; all recordings of an utterance have one rate
HOP = 0.01  # seconds from one column of a spectrogram to the next
N_FFT, N_MELS = 1024, 80
TYPES = {".flac": "audio/flac", ".mp3": "audio/mpeg"}  # a format of libsndfile and of every browser
Contours = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
Card = dict[str, Any]


@dataclass(frozen=True)
class Sounds:
    """The waves (N,) of an utterance at one rate, by kind; sentences about missing ones."""

    waves: dict[str, Tensor]
    sample_rate: int
    notes: list[str]


def make_cards(
    run: Run, n: int, on_progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, list[Card]], int]:
    """Direction name -> its cards, at most n, and the number left out because of BUDGET.

    Sound is FLAC if all of it fits, else MP3. Directions take turns, so each gets some cards.
    """
    turns = zip_longest(*(choose(direction, n) for direction in run.directions))
    chosen = [one for turn in turns for one in turn if one is not None]
    drawn: list[tuple[Chosen, Sounds, Markup | None]] = []
    for done, one in enumerate(chosen, 1):
        sounds = load(find_files(run.folder, one.direction, one.stem))
        drawn.append((one, sounds, draw(one, sounds)))
        if on_progress:
            on_progress(done, len(chosen))
    for extension in TYPES:
        players = [encode(sounds, extension) for _, sounds, _ in drawn]
        sizes = [
            len(picture or "") + sum(map(len, uris.values()))
            for (_, _, picture), uris in zip(drawn, players, strict=True)
        ]
        if sum(sizes) <= BUDGET:
            break
    n_kept = int((np.cumsum(sizes) <= BUDGET).sum()) if chosen else 0
    cards: dict[str, list[Card]] = {}
    for parts, uris in list(zip(drawn, players, strict=True))[:n_kept]:
        cards.setdefault(parts[0].direction.name, []).append(_card(*parts, uris))
    return cards, len(chosen) - n_kept


def find_files(folder: Path, direction: Direction, stem: str) -> dict[str, Path | None]:
    """Kind -> recording, from the run directory, or else the path in the scores.

    A conversion has the name of its source, DOMAIN-STEM; the target's recording has its own domain.
    """
    name = PurePath(str(direction.utterances[stem].get("file") or stem))
    own = plain_name(name.stem)
    bare = own.removeprefix(f"{direction.source}-")
    sources, targets = (
        _by_stem(folder / "unconverted" / domain) for domain in (direction.source, direction.target)
    )
    converted = folder / "converted" / direction.name / name
    return {
        "source": sources.get(own) or _scored(direction, "unconverted", stem),
        "converted": converted if converted.is_file() else _scored(direction, MODEL, stem),
        "target": targets.get(f"{direction.target}-{bare}") or _scored(direction, "target", stem),
    }


def _scored(direction: Direction, system: str, stem: str) -> Path | None:
    """The recording of a system's scores; None if it is a part of a file."""
    scores = direction.systems.get(system, {})
    folder = scores.get("inputs", {}).get("converted")
    file = scores.get("utterances", {}).get(stem, {}).get("file")
    if not isinstance(folder, str) or not isinstance(file, str):
        return None
    path = Path(folder) / file
    return path if path.is_file() and not (Path(folder) / "segments").exists() else None


def load(files: Mapping[str, Path | None]) -> Sounds:
    """Read the existing recordings, at most LONGEST seconds each, at their lowest rate."""
    notes, found = [], {}
    for kind, path in files.items():
        if path is None:
            notes.append(f"there is no recording of the {kind}")
            continue
        try:
            found[kind] = audio.read(path)
        except InputError as error:
            notes.append(str(error))
    rate = min([HIGHEST_RATE, *(recording.sample_rate for recording in found.values())])
    waves = {kind: audio.resample(*recording, rate) for kind, recording in found.items()}
    n_most = int(LONGEST * rate)
    if any(len(wave) > n_most for wave in waves.values()):
        notes.append(f"the first {LONGEST:g} seconds are shown")
    return Sounds({kind: wave[:n_most] for kind, wave in waves.items()}, rate, notes)


def draw(chosen: Chosen, sounds: Sounds) -> Markup | None:
    """Spectrograms and F0 of waves scaled to one peak, as for the measures; None for silence."""
    rate = sounds.sample_rate
    waves = {
        kind: Tensor(condition(wave.numpy())) for kind, wave in sounds.waves.items() if wave.any()
    }
    if not waves:
        return None
    mel = MelSpectrogram(rate, N_FFT, round(HOP * rate), N_MELS)
    filters = mel.filters.numpy()  # (C, F)
    centres = filters @ np.linspace(0, rate / 2, filters.shape[1]) / filters.sum(1)
    decibels = {k: mel.extract(wave).frames.numpy() * 20 / np.log(10) for k, wave in waves.items()}
    contours = {}
    for kind, wave in waves.items():
        f0, times = find_f0(audio.resample(wave, rate, SAMPLE_RATE).numpy())
        contours[kind] = (times, f0)
    hop = mel.hop_length / rate
    return utterance_picture(decibels, contours, hop, centres, _described(chosen, contours))


def encode(sounds: Sounds, extension: str) -> dict[str, str]:
    """Kind -> its sound as a data URI, in 16 bit FLAC or MP3 at libsndfile's own quality."""
    uris = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, wave in sounds.waves.items():
            path = Path(folder) / f"{kind}{extension}"
            audio.write(path, wave, sounds.sample_rate)
            content = base64.b64encode(path.read_bytes()).decode()
            uris[kind] = f"data:{TYPES[extension]};base64,{content}"
    return uris


def _described(chosen: Chosen, contours: Contours) -> str:
    pitches = []
    for kind, (_, f0) in contours.items():
        voiced = f0[f0 > 0]
        pitches.append(f"{kind} {np.median(voiced):.0f} Hz" if len(voiced) else f"{kind} unvoiced")
    return (
        f"Log-mel spectrograms and F0 of {chosen.stem}, {chosen.direction.source} to "
        f"{chosen.direction.target}; median F0: {', '.join(pitches)}"
    )


def _card(chosen: Chosen, sounds: Sounds, picture: Markup | None, uris: dict[str, str]) -> Card:
    row = chosen.direction.utterances[chosen.stem]
    return {
        "place": _address(f"{chosen.direction.name}.{chosen.stem}"),
        "stem": chosen.stem,
        "reason": chosen.reason,
        "figures": [(measure(n), as_text(row[n], measure(n).unit)) for n in LISTED if n in row],
        "picture": picture,
        "players": [
            (kind, uri, f"{len(sounds.waves[kind]) / sounds.sample_rate:.1f}")
            for kind, uri in uris.items()
        ],
        "notes": sounds.notes,
    }


def _address(name: str) -> str:
    """Replace bytes of a file name that are not UTF-8, because a link cannot contain them."""
    return name.encode("utf-8", "backslashreplace").decode()


def _by_stem(folder: Path) -> dict[str, Path]:
    return {plain_name(path.stem): path for path in sorted(folder.glob("*")) if path.is_file()}
