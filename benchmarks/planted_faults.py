"""Twelve faults planted in a copy of real recordings: which of them does `voiceconv check` find?

python benchmarks/planted_faults.py [--data ../shared/data/cc0_speech] [--per-speaker 50]

DATA: a folder of recordings per speaker with `splits/SPEAKER.train`, `.val` and `.test`. Every
fault befalls another utterance of the two cleanest speakers, the first two that are named. What the
clean copy shows is told apart; a finding that was neither planted nor there before is false. Then
the copy is mended and examined again.
"""

import argparse
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from common import report

from voiceconv import audio
from voiceconv.check.doctor import Report, examine
from voiceconv.check.fix import mend

with warnings.catch_warnings():  # pyworld 0.3.5 asks pkg_resources for its own version, which warns
    warnings.simplefilter("ignore")
    import pyworld

N_LISTED = {"train": None, "val": 20, "test": 40}  # None: --per-speaker
N_SPARE = 20  # of each speaker, to be planted elsewhere


class Fault(NamedTuple):
    """A fault: the rule that must name it, and the names of the utterances that it befell.

    Of a duplicate either copy may be named.
    """

    rule: str
    names: set[str]


class Corpus:
    """A folder per speaker with lists, written as it is planted."""

    def __init__(self, source: Path, folder: Path, speakers: list[str], per_speaker: int) -> None:
        self.source, self.folder = source, folder
        self.speakers = speakers
        self.splits: dict[str, dict[str, list[str]]] = {}
        self.spare: dict[str, list[Path]] = {}
        for speaker in speakers:
            (folder / speaker).mkdir(parents=True)
            listed = {s: source / "splits" / f"{speaker}.{s}" for s in N_LISTED}
            lists = {split: path.read_text().split() for split, path in listed.items()}
            n_train = min(per_speaker, len(lists["train"]) - N_SPARE)
            chosen = {s: lists[s][: n_train if n is None else n] for s, n in N_LISTED.items()}
            self.splits[speaker] = chosen
            for stem in [stem for stems in chosen.values() for stem in stems]:
                shutil.copy(source / speaker / f"{stem}.flac", folder / speaker)
            self.spare[speaker] = [source / speaker / f"{s}.flac" for s in lists["train"][n_train:]]

    def write_lists(self) -> None:
        """Write the lists of every speaker."""
        (self.folder / "splits").mkdir(exist_ok=True)
        for speaker, splits in self.splits.items():
            for split, stems in splits.items():
                path = self.folder / "splits" / f"{speaker}.{split}"
                path.write_text("".join(f"{stem}\n" for stem in stems))

    def path(self, speaker: str, number: int, split: str = "train") -> Path:
        """The file of an utterance."""
        return self.folder / speaker / f"{self.splits[speaker][split][number]}.flac"

    def name(self, path: Path, split: str = "train") -> str:
        """An utterance as findings name it."""
        return f"{split}/{path.parent.name}-{path.stem}"

    def change(
        self, speaker: str, number: int, change: Callable[[np.ndarray, int], np.ndarray]
    ) -> str:
        """Change an utterance of train; returns its name."""
        path = self.path(speaker, number)
        wave, rate = soundfile.read(path)
        soundfile.write(path, change(wave, rate), rate, subtype="PCM_16")
        return self.name(path)

    def add(self, speaker: str, stem: str, wave: np.ndarray, rate: int) -> str:
        """Add an utterance to train; returns its name."""
        path = self.folder / speaker / f"{stem}.flac"
        soundfile.write(path, wave, rate, subtype="PCM_16")
        self.splits[speaker]["train"].append(stem)
        return self.name(path)


def plant(corpus: Corpus) -> dict[str, Fault]:
    """Plant the twelve; fault -> where it is."""
    one, other, stranger = corpus.speakers[:3]
    faults: dict[str, Fault] = {}

    def fault(title: str, rule: str, *names: str) -> None:
        faults[title] = Fault(rule, set(names))

    path = corpus.path(one, 0)
    wave, rate = audio.read(path)
    audio.write(path, audio.resample(wave, rate, 16000), 16000)
    fault("a file at 16 kHz", "mixed rates", corpus.name(path))
    clipped = corpus.change(one, 1, lambda x, r: np.clip(4 * x / abs(x).max(), -0.99, 0.99))
    fault("a clipped file", "clipping", clipped)
    fault("a file with DC of 0.1", "DC", corpus.change(one, 2, lambda x, r: x + 0.1))
    fault("a file 30 dB down", "quiet utterances", corpus.change(one, 3, lambda x, r: x * 0.0316))
    fault("noise at 10 dB", "noisy utterances", corpus.change(other, 0, add_noise))
    padded = corpus.change(other, 1, lambda x, r: np.r_[x, 1e-4 * noise(len(x) + 10 * r)])
    fault("10 s of pause at the end", "silence", padded)
    fault("a file of 0.2 s", "too short", corpus.change(other, 2, cut))
    long, rate = concatenated(corpus.spare[one], 60.0)
    fault("a minute in one file", "too long", corpus.add(one, "minute", long, rate))
    fault("F0 halved here and there", "octave errors", corpus.change(other, 3, halved))
    path = corpus.path(other, 4)
    duplicate = corpus.add(other, "another_name", *soundfile.read(path))
    fault("a file twice in train", "duplicate", duplicate, corpus.name(path))
    path = corpus.path(one, 0, "test")
    leaked = corpus.add(one, "leaked", *encoded(path))
    fault("a test file in train", "leak", leaked)
    strange = [
        corpus.add(other, f"strange_{n}", *soundfile.read(p))
        for n, p in enumerate(corpus.spare[stranger][:5])
    ]
    fault("5 files of another voice", "mislabelled", *strange)
    corpus.write_lists()
    return faults


def noise(n_samples: int) -> np.ndarray:
    """White noise of power 1, the same every time."""
    return np.random.default_rng(0).standard_normal(n_samples)


def add_noise(wave: np.ndarray, rate: int) -> np.ndarray:
    """White noise 10 dB under the wave."""
    return wave + 10 ** (-10 / 20) * wave.std() * noise(len(wave))


def cut(wave: np.ndarray, rate: int) -> np.ndarray:
    """The loudest 0.2 s."""
    size = rate // 5
    power = np.convolve(wave**2, np.ones(size), "valid")
    start = int(power.argmax())
    return wave[start : start + size]


def concatenated(paths: list[Path], seconds: float) -> tuple[np.ndarray, int]:
    """Recordings one after the other."""
    waves, rate, total = [], 0, 0
    for path in paths:
        wave, rate = soundfile.read(path)
        waves.append(wave)
        total += len(wave)
        if total >= seconds * rate:
            break
    return np.concatenate(waves)[: int(seconds * rate)], rate


def halved(wave: np.ndarray, rate: int) -> np.ndarray:
    """Synthesised again with F0 halved for 0.15 of every 0.4 s, as creak sounds."""
    f0, times = pyworld.harvest(wave, rate)
    envelope = pyworld.cheaptrick(wave, f0, times, rate)
    aperiodicity = pyworld.d4c(wave, f0, times, rate)
    f0[times % 0.4 < 0.15] /= 2
    synthesised = pyworld.synthesize(f0, envelope, aperiodicity, rate)[: len(wave)]
    return synthesised * min(1.0, 0.9 / abs(synthesised).max())


def encoded(path: Path) -> tuple[np.ndarray, int]:
    """Through Vorbis, 6 dB quieter and without its first 50 ms."""
    wave, rate = audio.read(path)
    with tempfile.TemporaryDirectory() as folder:
        audio.write(Path(folder) / "x.ogg", wave[rate // 20 :] / 2, rate)
        wave, rate = audio.read(Path(folder) / "x.ogg")
    return wave.numpy(), rate


def findings(examined: Report) -> dict[tuple[str, str], set[str]]:
    """(rule, speaker) -> the utterances named."""
    return {(f.rule, f.speaker): {c.item.name for c in f.cases} for f in examined.findings}


def false_findings(
    found: dict[tuple[str, str], set[str]],
    clean: dict[tuple[str, str], set[str]],
    faults: dict[str, Fault],
) -> list[str]:
    """What is neither planted nor in the clean copy, an utterance or a speaker each."""
    planted = {(fault.rule, name) for fault in faults.values() for name in fault.names}
    false = []
    for (rule, speaker), names in found.items():
        if not names and (rule, speaker) not in clean:
            false.append(f"{rule}: {speaker}")
        for name in sorted(names - clean.get((rule, speaker), set())):
            if (rule, name) not in planted:
                false.append(f"{rule}: {name}")
    return false


def main() -> None:
    """Plant, examine, mend, examine again."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).parents[1]
    options.add_argument("--data", type=Path, default=root / "../shared/data/cc0_speech")
    options.add_argument("--speakers", nargs="+", help="the cleanest two first")
    options.add_argument("--per-speaker", type=int, default=10**6, help="in train; most")
    options.add_argument("--jobs", type=int)
    options.add_argument("--json", type=Path, help="write the figures here too")
    chosen = options.parse_args()
    speakers = chosen.speakers or ["kerstin", "nathalie", "kathleen", "flemishguy"]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / name for name in ("clean", "planted", "mended")]
        copies = [Corpus(chosen.data, f, speakers, chosen.per_speaker) for f in folders[:2]]
        copies[0].write_lists()
        faults = plant(copies[1])
        clean = examine(folders[0], jobs=chosen.jobs)
        start = time.perf_counter()
        planted = examine(folders[1], jobs=chosen.jobs)
        took = time.perf_counter() - start
        said = mend(planted, folders[1], folders[2], chosen.jobs)
        mended = examine(folders[2], jobs=chosen.jobs)
    found = findings(planted)
    named = {(rule, name) for (rule, _), names in found.items() for name in names}
    rows, n_found = [], 0
    for title, fault in faults.items():
        hits = {name for rule, name in named if rule == fault.rule} & fault.names
        is_found = hits == fault.names or (bool(hits) and fault.rule == "duplicate")
        n_found += is_found
        rows.append((title, fault.rule, str(len(hits)), "found" if is_found else "MISSED"))
    false = false_findings(found, findings(clean), faults)
    seconds = sum(m.seconds for m in planted.evidence.measured.values())
    left = {f"{f.rule}: {f.speaker}" for f in mended.findings}
    figures = {
        "n_found": n_found, "n_planted": len(faults), "false": false, "mended": said,
        "findings_of_the_clean_copy": sorted(f"{f.rule}: {f.speaker}" for f in clean.findings),
        "left_after_mending": sorted(left),
        "mendable_left": sorted(f"{f.rule}: {f.speaker}" for f in mended.findings if f.is_mendable),
        "seconds_of_sound": seconds, "seconds": took, "times_real_time": seconds / took,
    }  # fmt: skip
    report("Planted faults", ("fault", "rule", "utterances named", ""), rows, figures, chosen.json)


if __name__ == "__main__":
    main()
