"""Read one split of a dump, the output of `voiceconv extract`."""

from pathlib import Path
from typing import Any

import numpy as np

from voiceconv.data.archive import Archive
from voiceconv.data.kaldi import read_table
from voiceconv.errors import InputError
from voiceconv.files import read_mapping


def read_dump(dump: Path | str) -> dict[str, dict[str, np.ndarray]]:
    """An extracted split: domain -> stem -> memory-mapped frames (T, C), all in sorted order.

    Raises InputError for an utterance that utt2spk does not name.
    """
    dump = Path(dump)
    domain_of = read_table(dump / "utt2spk")
    utterances: dict[str, dict[str, np.ndarray]] = {
        domain: {} for domain in sorted(set(domain_of.values()))
    }
    for name, frames in sorted(Archive(dump / "feats.scp").items()):
        if name not in domain_of:
            raise InputError(
                f"{dump / 'utt2spk'}: no line for utterance {name!r} of feats.scp; extract again"
            )
        domain = domain_of[name]
        utterances[domain][name.removeprefix(f"{domain}-")] = frames
    return utterances


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that `voiceconv extract` wrote, such as features.yaml. Raises InputError."""
    return read_mapping(path, "run `voiceconv extract` first")
