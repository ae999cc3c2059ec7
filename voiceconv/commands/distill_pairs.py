"""What a teacher says, for a streaming student: `voiceconv distill pairs DUMP -o OUT`.

The teacher is a converter of any kind with WORLD features, which hears whole recordings. Each
recording of DUMP is converted to some of its targets. OUT has the recordings' own waves and F0,
and the teacher's frames and aperiodicity in their place: a student that hears the wave is to say
these. Because a translator keeps the number of frames, the two are aligned.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from torch import Tensor

from voiceconv.converter import Converter
from voiceconv.converter.unseen import keep_intervals, own_stats
from voiceconv.data.archive import Archive, ArchiveWriter, read_scp, write_scp
from voiceconv.data.dump import names_by_domain, read_yaml, require_own
from voiceconv.data.segments import require_waves
from voiceconv.data.statistics import STATS
from voiceconv.errors import InputError
from voiceconv.features import Features, World, save_stats
from voiceconv.files import appearing, replace_text
from voiceconv.progress import Progress

SPLITS = ("train", "val")
KINDS = ("f0", "ap", "feats")


class _Turn(NamedTuple):
    """An utterance that becomes `target`."""

    utterance: str
    target: str

    @property
    def id(self) -> str:
        return f"{self.target}-{self.utterance}"


def write_pairs(
    dump: Path,
    output: Path,
    teacher: Path | str | None = None,
    frame_period: float = 10.0,
    n_targets: int = 1,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write OUT/{train,val}, a dump whose domains are the targets; split -> utterances.

    frame_period: ms of OUT's frames, a multiple of the teacher's. n_targets: of each recording of
    train, in turns; those of val become every target. The waves stay in DUMP.

    Raises InputError for a dump without waves or of other features than the teacher's, for a
    teacher without WORLD features, and for an output that is there already.
    """
    converter = Converter.from_pretrained(teacher)
    world = converter.extractor
    if not isinstance(world, World):
        raise InputError(
            f"the teacher has {type(world).__name__} features, and a streaming student says those "
            "of World; name a teacher that has these"
        )
    step = frame_period / world.frame_period
    if not step.is_integer() or step < 1:
        raise InputError(
            f"--frame-period {frame_period:g} ms is no multiple of the teacher's "
            f"{world.frame_period:g}; give one"
        )
    node = {**converter.config["features"], "frame_period": float(frame_period)}
    splits = [split for split in SPLITS if split == "train" or (dump / split).is_dir()]
    turns = {
        split: _plan(dump / split, converter, n_targets if split == "train" else None)
        for split in splits
    }
    total, done = sum(map(len, turns.values())), 0
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with appearing(output) as scratch:
        for split in splits:
            for _ in _teach(turns[split], converter, dump / split, scratch / split, int(step)):
                done += 1
                if progress:
                    progress(done, total)
            for name, content in (
                ("features.yaml", node),
                ("processing.yaml", read_yaml(dump / split / "processing.yaml")),
            ):
                text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
                replace_text(scratch / split / name, text)
        save_stats(scratch / "train" / STATS, converter.stats)
    return {split: len(turns[split]) for split in splits}


def _plan(dump: Path, converter: Converter, n_targets: int | None) -> list[_Turn]:
    """The turns of a split; a target's own recordings become the others."""
    require_waves(dump)
    require_own(dump, converter.extractor.definition, converter.loudness, "teacher")
    turns, number = [], 0
    for domain, names in names_by_domain(dump, read_scp(dump / "feats.scp")).items():
        others = [target for target in converter.domains if target != domain] or [domain]
        for name in names:
            for turn in range(len(others) if n_targets is None else min(n_targets, len(others))):
                turns.append(_Turn(name, others[(number + turn) % len(others)]))
            number += 1
    lacking = set(converter.domains) - {turn.target for turn in turns}
    if lacking and n_targets is not None:  # val need not have all
        raise InputError(
            f"{dump} has too few recordings for every target: none becomes "
            f"{', '.join(sorted(lacking))}; raise --targets, or add recordings"
        )
    return turns


@torch.no_grad()
def _teach(
    turns: Sequence[_Turn], converter: Converter, dump: Path, out: Path, step: int
) -> Iterator[None]:
    """Write a split, and report each finished turn."""
    archives = {kind: Archive(dump / f"{kind}.scp") for kind in (*KINDS, "waves")}
    out.mkdir()
    writers = {kind: ArchiveWriter(out, kind, 0) for kind in KINDS}
    try:
        for turn in turns:
            given = {
                kind: torch.from_numpy(np.array(archive[turn.utterance])).movedim(-1, 0)
                for kind, archive in archives.items()
            }
            said = _said(converter, turn.target, given)
            said["f0"] = given["f0"]
            for kind, writer in writers.items():
                writer.write(turn.id, said[kind].movedim(0, -1)[::step].contiguous().numpy())
            yield
    finally:
        for writer in writers.values():
            writer.close()
    for kind in KINDS:
        write_scp(out / f"{kind}.scp", read_scp(out / f"{kind}.0.scp"))
    waves = read_scp(dump / "waves.scp")
    write_scp(out / "waves.scp", {turn.id: waves[turn.utterance] for turn in turns})
    replace_text(out / "utt2spk", "".join(sorted(f"{turn.id} {turn.target}\n" for turn in turns)))


def _said(converter: Converter, target: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Feats and aperiodicity of the target, as loud on the whole as the recording is."""
    world = converter.extractor
    assert isinstance(world, World)
    features = Features(given["feats"], {"f0": given["f0"], "ap": given["ap"]})
    own = own_stats(world, [(given["waves"], features)])
    stats, domain = converter.nearest(own, target)
    if stats is own:
        stats = keep_intervals(own, converter.stats[target])
    said = converter.translate(features, stats, domain, target)
    powers = [float(world.mel_cepstrum.decode(one.frames).sum()) for one in (features, said)]
    frames = said.frames.clone()
    frames[0] += 0.5 * float(np.log(powers[0] / powers[1]))
    return {"feats": frames, "ap": said.tracks["ap"]}
