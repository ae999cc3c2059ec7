"""`voiceconv calibrate`: measure the speech that a model has learned from, to tell other sounds."""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

from voiceconv.check.corpus import read_corpus
from voiceconv.converter import Converter, FrameConverter, open_model
from voiceconv.converter.directory import find_model
from voiceconv.converter.novelty import Novelty
from voiceconv.converter.traits import Traits
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError
from voiceconv.files import unwritable
from voiceconv.hub import hub_name
from voiceconv.model_folder import BUNDLED
from voiceconv.progress import Progress

MOST = 20  # recordings of a speaker
LEFT_OUT = ("test", "paired")  # splits
log = logging.getLogger(__name__)


def calibrate(model: str, data: Path, progress: Progress | None = None) -> dict[str, int]:
    """Write novelty.safetensors into a model's directory; return how many recordings of a speaker.

    data: as `read_corpus` takes it, of speakers that the model has learned from; neither `test` nor
    `paired` is used.

    Raises InputError for a model that is none of sound, for too few speakers or recordings, and
    for a directory that is not to be changed, or cannot be.
    """
    folder = _own_folder(model)
    converter = of_sound(open_model(folder), str(folder))
    of_speaker: dict[str, list[Utterance]] = {}
    for item in read_corpus(data):
        if item.split not in LEFT_OUT:
            of_speaker.setdefault(item.utterance.domain, []).append(item.utterance)
    chosen = {speaker: _spread(some) for speaker, some in of_speaker.items()}
    n_done, n = 0, sum(map(len, chosen.values()))
    described: dict[str, list[Traits]] = {}
    for speaker, utterances in chosen.items():
        for utterance in utterances:
            found = _described(converter, utterance)
            if found is not None:
                described.setdefault(speaker, []).append(found)
            n_done += 1
            if progress:
                progress(n_done, n)
    novelty = Novelty.fit(described)
    try:
        novelty.save(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return {speaker: len(found) for speaker, found in described.items()}


def _own_folder(model: str) -> Path:
    """The directory of a model, where it is the user's to change. Raises InputError."""
    if hub_name(model) is not None:
        raise InputError(
            f"{model} is in the hub's cache, which must stay as it is; copy it to a folder of your "
            "own, and calibrate that"
        )
    folder = find_model(model)
    if folder.parent == BUNDLED and not Path(model).exists():
        raise InputError(
            f"{model} comes with the package; copy {folder} to a folder of your own, and calibrate "
            "that"
        )
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} cannot be written; copy it to a folder of your own")
    return folder


def of_sound(converter: FrameConverter, name: str) -> Converter:
    """The same. Raises InputError for a model of files, and for one that hears no whole waves."""
    if not isinstance(converter, Converter) or converter.streams:
        raise InputError(f"{name} does not convert whole recordings; name a model that does")
    return converter


def _spread(utterances: Sequence[Utterance]) -> list[Utterance]:
    """At most MOST, spread over all."""
    step = max(1, math.ceil(len(utterances) / MOST))
    return list(utterances[::step])


def _described(converter: Converter, utterance: Utterance) -> Traits | None:
    try:
        return converter.describe(read_wave(utterance, converter.sample_rate).samples)
    except InputError as error:
        log.warning("left out: %s", error)
        return None
