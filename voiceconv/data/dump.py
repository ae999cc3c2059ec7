"""Read one split of a dump, the output of `voiceconv extract`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voiceconv.build import build
from voiceconv.data.archive import Archive
from voiceconv.data.kaldi import read_table
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor, differences
from voiceconv.files import read_mapping


def read_dump(dump: Path | str) -> dict[str, dict[str, np.ndarray]]:
    """An extracted split: domain -> stem -> memory-mapped frames (T, C), all in sorted order.

    Raises InputError as `names_by_domain` does.
    """
    frames = Archive(Path(dump) / "feats.scp")
    return {
        domain: {name.removeprefix(f"{domain}-"): frames[name] for name in names}
        for domain, names in names_by_domain(dump, frames).items()
    }


def names_by_domain(dump: Path | str, utterances: Iterable[str]) -> dict[str, list[str]]:
    """Each domain of a split's utt2spk with those of the utterances that are its own, sorted.

    Raises InputError for an utterance that utt2spk does not name.
    """
    table = Path(dump) / "utt2spk"
    domain_of = read_table(table)
    found: dict[str, list[str]] = {domain: [] for domain in sorted(set(domain_of.values()))}
    for name in sorted(utterances):
        if name not in domain_of:
            raise InputError(f"{table}: no line for utterance {name!r} of feats.scp; extract again")
        found[domain_of[name]].append(name)
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that `voiceconv extract` wrote, such as features.yaml. Raises InputError."""
    return read_mapping(path, "run `voiceconv extract` first")


def read_loudness(dump: Path) -> float | None:
    """The loudness in LUFS that a split's waves were brought to; None: their own.

    Raises InputError where processing.yaml does not state it.
    """
    path = dump / "processing.yaml"
    loudness = read_yaml(path).get("loudness", "")
    if loudness is not None and type(loudness) not in (float, int):
        raise InputError(f"{path} does not state loudness, in LUFS or null; extract again")
    return loudness


def require_own(
    dump: Path, definition: Mapping[str, object], loudness: float | None, of: str
) -> None:
    """Raise InputError where a split has other features or loudness than those of a model.

    of: what the model is called.
    """
    there = build(read_yaml(dump / "features.yaml"), FeatureExtractor).definition
    differing = differences(definition, there)
    found = read_loudness(dump)
    if found != loudness:
        differing.append(f"loudness {found}, not {loudness}")
    if differing:
        raise InputError(
            f"{dump} is not of the {of}'s features: {'; '.join(differing)}; extract with the "
            f"{of}'s own"
        )
