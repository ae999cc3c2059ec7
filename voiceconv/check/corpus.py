"""Read the corpus of `voiceconv check DATA`, in any layout, with its splits.

DATA is a Kaldi data directory, a folder of such (train, val or dev, test, paired), or a folder with
one folder of sound files per speaker, as for `prepare`. A folder `splits` beside these may have
lists `SPEAKER.train`, `.val`, `.test` and `.paired` of utterances.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from voiceconv.data.content import domain_files, sound_extensions
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, read_table, word
from voiceconv.data.splits import SPLITS, split_by_lists
from voiceconv.errors import InputError

UNLISTED = "unlisted"  # the split of utterances that no list names


@dataclass(frozen=True)
class Item:
    """An utterance and its split; "" if the corpus has no splits."""

    utterance: Utterance
    split: str = ""

    @property
    def name(self) -> str:
        """The name in findings: `train/kerstin-de_0019`."""
        return f"{self.split}/{self.utterance.id}" if self.split else self.utterance.id


def read_corpus(data: Path | str, extensions: Collection[str] | None = None) -> list[Item]:
    """Read the utterances of DATA, sorted by split and name. Raises InputError.

    extensions: how names of files end that are taken of a folder; None: sound files.
    """
    data = Path(data)
    if not data.is_dir():
        kind = "is a file, not a folder" if data.exists() else "is not there"
        raise InputError(f"{data} {kind}; give a data directory or a folder of recordings")
    if is_data_dir(data):
        return [Item(utterance) for utterance in read_data_dir(data)]
    found = {split: folder for split in SPLITS for folder in _split_folders(data, split)}
    if found:
        return [Item(u, split) for split, folder in found.items() for u in read_data_dir(folder)]
    return _from_folders(data, sound_extensions() if extensions is None else extensions)


def _split_folders(data: Path, split: str) -> list[Path]:
    """Return the data directory of a split, if there is one; `dev` is another name of val."""
    names = [split, "dev"] if split == "val" else [split]
    return [data / name for name in names if is_data_dir(data / name)][:1]


def _from_folders(data: Path, extensions: Collection[str]) -> list[Item]:
    """Read one folder of files per speaker."""
    lists = data / "splits"
    found = domain_files(data, extensions, lambda folder: folder != lists)
    speakers = {word(folder.name): _of_speaker(folder, paths) for folder, paths in found.items()}
    if not speakers:
        raise InputError(
            f"{data} holds no wav.scp, no train, val or test that does, and no folder of sound "
            "files; give a data directory, or a folder with a folder of recordings per speaker"
        )
    has_lists = any(lists.glob("*.train"))
    splits = split_by_lists(speakers, lists) if has_lists else {}
    default = UNLISTED if splits else ""
    items = [
        Item(utterance, splits.get(speaker, {}).get(stem, default))
        for speaker, utterances in speakers.items()
        for stem, utterance in utterances.items()
    ]
    order = {split: number for number, split in enumerate((*SPLITS, default))}
    return sorted(items, key=lambda item: (order[item.split], item.utterance.id))


def _of_speaker(folder: Path, paths: Sequence[Path]) -> dict[str, Utterance]:
    """Stem -> utterance, named as `prepare` would."""
    speaker = word(folder.name)
    transcripts = read_table(folder / "text") if (folder / "text").exists() else {}
    utterances: dict[str, Utterance] = {}
    for path in paths:
        relative = path.relative_to(folder)
        stem = word(relative.with_suffix("").as_posix().replace("/", "_"))
        if stem in utterances:  # `prepare` will refuse it; `check` looks at both
            stem = word(relative.as_posix().replace("/", "_"))
        name = f"{speaker}-{stem}"
        text = transcripts.get(stem, transcripts.get(name))
        utterances[stem] = Utterance(name, speaker, path, text=text)
    return utterances
