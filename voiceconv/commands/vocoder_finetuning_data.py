"""Data to fine-tune a vocoder for one converter: `voiceconv vocoder finetuning-data DUMP -o OUT`.

A vocoder trained only on frames of recordings is worse on a translator's frames, and these have no
recording as a target. Frames that were converted there and back have one: the original recording,
aligned frame by frame, because a translator keeps their number. Kong et al. 2020 ("HiFi-GAN",
section 4.4) do the same with teacher-forced frames of a synthesiser.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv.converter import Converter
from voiceconv.data.archive import Archive, ArchiveWriter, read_scp, write_scp
from voiceconv.data.dump import names_by_domain, require_own
from voiceconv.data.segments import require_waves
from voiceconv.errors import InputError, RunError
from voiceconv.features import Features
from voiceconv.files import abridged, appearing, replace_text
from voiceconv.progress import Progress

SPLITS = ("train", "val")


class _Turn(NamedTuple):
    """An utterance of `source`, to `target` and back."""

    utterance: str
    source: str
    target: str

    @property
    def id(self) -> str:
        return f"{self.utterance}-{self.target}"


def write_finetuning_data(
    dump: Path, output: Path, model: Path | str | None = None, progress: Progress | None = None
) -> dict[str, int]:
    """Write OUT/{train,val}, as `extract --waves` leaves them; split -> utterances.

    Each utterance of a domain that the model knows comes once for each of its other domains, as
    `<utterance>-<other>`: its frames, converted there and back, and its wave, which stays in DUMP.

    Raises InputError for a dump without waves, for one of other features or loudness than the
    model's, and for an output that is there already; RunError, when all others are written, for
    those that the model makes no finite frames of.
    """
    converter = Converter.from_pretrained(model)
    splits = [split for split in SPLITS if split == "train" or (dump / split).is_dir()]
    turns = {split: _plan(dump / split, converter) for split in splits}
    total, done = sum(map(len, turns.values())), 0
    failed: list[str] = []
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with appearing(output) as scratch:
        for split in splits:
            for turn, is_finite in _cycle(turns[split], converter, dump / split, scratch / split):
                failed += [] if is_finite else [f"{split}/{turn.id}"]
                done += 1
                if progress:
                    progress(done, total)
    if failed:
        raise RunError(
            f"{len(failed)} of {total} utterances are left out of {output}, for the model gives "
            f"NaN or infinite frames of them: {abridged(failed)}"
        )
    return {split: len(turns[split]) for split in splits}


def _plan(dump: Path, converter: Converter) -> list[_Turn]:
    """The turns of a split. Raises InputError if it does not fit a vocoder for this model."""
    require_waves(dump)
    require_own(dump, converter.extractor.definition, converter.loudness, "model")
    utterances = names_by_domain(dump, read_scp(dump / "feats.scp"))
    domain_of = {name: domain for domain, names in utterances.items() for name in names}
    both = [
        (one, other) for one, other in converter.directions if (other, one) in converter.directions
    ]
    turns = [
        _Turn(name, domain_of[name], other)
        for name in sorted(domain_of)
        if domain_of[name] in converter.stats
        for one, other in both
        if one == domain_of[name]
    ]
    if not both:
        raise InputError(
            "the model converts no direction there and back, as this needs; name a model that does"
        )
    if not turns:
        raise InputError(
            f"{dump} has {', '.join(utterances)}, the model knows "
            f"{', '.join(converter.domains)}; give a dump of a domain that it knows"
        )
    return turns


@torch.no_grad()
def _cycle(
    turns: Sequence[_Turn], converter: Converter, dump: Path, out: Path
) -> Iterator[tuple[_Turn, bool]]:
    """Write a split, and report each finished turn: whether its frames are finite and written."""
    frames, waves = Archive(dump / "feats.scp"), read_scp(dump / "waves.scp")
    out.mkdir()
    written = []
    with ArchiveWriter(out, "feats", 0) as writer:
        for turn in turns:
            matrix = torch.from_numpy(np.array(frames[turn.utterance]))  # (T, C)
            cycled = _there_and_back(matrix.T, turn, converter)
            is_finite = bool(cycled.isfinite().all())
            if is_finite:
                writer.write(turn.id, cycled.T.numpy())
                written.append(turn)
            yield turn, is_finite
    write_scp(out / "feats.scp", read_scp(out / "feats.0.scp"))
    write_scp(out / "waves.scp", {turn.id: waves[turn.utterance] for turn in written})
    lines = sorted(f"{turn.id} {turn.source}\n" for turn in written)
    replace_text(out / "utt2spk", "".join(lines))
    for name in ("features.yaml", "processing.yaml"):
        shutil.copyfile(dump / name, out / name)


def _there_and_back(frames: Tensor, turn: _Turn, converter: Converter) -> Tensor:
    """(C, T) -> (C, T), as two calls of `convert`."""
    features = Features(frames)
    for source, target in ((turn.source, turn.target), (turn.target, turn.source)):
        features = converter.translate(features, converter.stats[source], source, target)
    return features.frames
