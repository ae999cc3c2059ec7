"""Styles of a MUNIT: how far sampled ones lie apart, and what a clip of an unheard voice does.

python benchmarks/styles.py --model RUN --data DATA --unheard kerstin [--n 6] [--styles 8]

RUN was trained without the unheard voice, DATA/test has all voices. Spread: N test utterances of
each voice are converted to its next one with so many sampled styles; two conversions of one
utterance differ by 1 - cosine of their speaker embeddings (Resemblyzer), and by the distance of
their mean mel-cepstra in dB; so do two recordings of one voice, and recordings of two voices (each
row is of one recording and N others). Clips: utterances of each voice are converted with clips of
the unheard voice, and with their target's own style; similarity to the unheard voice against that
to the nearest voice of the model. 95% bootstrap intervals over source utterances, or recordings.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import ladder
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voiceconv import Converter
from voiceconv.audio import resample
from voiceconv.commands.targets import read_style
from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.evaluation.bootstrap import summary
from voiceconv.features import DomainStats
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, similarity
from voiceconv.metrics.wave_input import SAMPLE_RATE, condition

TO_DB = 10 * np.sqrt(2) / np.log(10)  # of a distance of cepstra


class Heard(NamedTuple):
    """What two waves are compared by."""

    voice: NDArray[np.float64]
    cepstrum: Tensor

    def apart(self, other: "Heard") -> tuple[float, float]:
        """1 - cosine, and dB."""
        distance = TO_DB * float((self.cepstrum - other.cepstrum).norm())
        return 1 - similarity(self.voice, other.voice), distance


class Bench:
    """The model, and ears."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.converter = Converter.from_pretrained(options.model)
        self.encoder = SpeakerEncoder()
        own = read_data_dir(options.data / "test")
        domains = sorted({*self.converter.domains, options.unheard})
        self.test = {domain: [one for one in own if one.domain == domain] for domain in domains}
        self.voices = ladder.voices_of(options.data)

    def hear(self, wave: Tensor) -> Heard:
        """Wave (N,) at the model's rate."""
        extractor = self.converter.extractor
        cepstra = extractor.cepstra(extractor.extract(wave).frames)
        loud = cepstra[0] > cepstra[0].max() - 3  # nepers: 26 dB
        heard = condition(resample(wave, self.converter.sample_rate, SAMPLE_RATE).double().numpy())
        return Heard(self.encoder.embed(heard), cepstra[1:25, loud].mean(1))

    def read(self, utterance: Utterance) -> Tensor:
        """Wave (N,) at the model's rate."""
        return read_wave(utterance, self.converter.sample_rate).samples

    def convert(self, utterance: Utterance, target: str, style: str | None) -> Heard:
        """With a style as the command line has it; None: the target's own."""
        told: dict[str, Tensor] = {}
        voice: DomainStats | None = None
        if style is not None:
            told, voice = read_style(style, self.converter, target)
        wave = self.read(utterance)
        made = self.converter.convert(
            wave, target, utterance.domain, condition=told, target_stats=voice
        )
        return self.hear(made)


def spread(bench: Bench, n: int, n_styles: int) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Rows of distances of pairs."""
    domains = bench.converter.domains
    of_styles, of_one, of_two = [], [], []
    for place, domain in enumerate(domains):
        target = domains[(place + 1) % len(domains)]
        for utterance in bench.test[domain][:n]:
            made = [bench.convert(utterance, target, f"sample:{seed}") for seed in range(n_styles)]
            of_styles.append(mean_apart(combinations(made, 2)))
        own, others = (
            [bench.hear(bench.read(one)) for one in bench.test[name][:n]]
            for name in (domain, target)
        )
        for place, heard in enumerate(own):
            rest = own[:place] + own[place + 1 :]
            of_one.append(mean_apart((heard, other) for other in rest))
            of_two.append(mean_apart((heard, other) for other in others))
    yield "sampled styles of one utterance", of_styles
    yield "recordings of one voice", of_one
    yield "recordings of two voices", of_two


def mean_apart(pairs: Iterable[tuple[Heard, Heard]]) -> tuple[float, float]:
    """The mean of both distances."""
    found = np.array([one.apart(other) for one, other in pairs])
    return float(found[:, 0].mean()), float(found[:, 1].mean())


def clips(
    bench: Bench, unheard: str, n: int, temporary: Path
) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Rows of similarities: to the unheard voice, and to the nearest voice of the model."""
    import soundfile

    names = bench.converter.domains
    recordings = bench.test[unheard][:n]
    files = [str(temporary / f"clip{number}.wav") for number in range(len(recordings))]
    for file, one in zip(files, recordings, strict=True):
        soundfile.write(file, bench.read(one).numpy(), bench.converter.sample_rate)

    def row(style: Callable[[int], str | None]) -> list[tuple[float, float]]:
        found = []
        for place, domain in enumerate(names):
            target = names[(place + 1) % len(names)]
            for number, utterance in enumerate(bench.test[domain][:n]):
                told = style(number % len(recordings))
                found.append(likeness(bench.convert(utterance, target, told)))
        return found

    def likeness(heard: Heard) -> tuple[float, float]:
        to_model = max(similarity(bench.voices[name], heard.voice) for name in names)
        return similarity(bench.voices[unheard], heard.voice), to_model

    yield f"style of a clip of {unheard}", row(lambda number: files[number])
    yield "the target's own style", row(lambda number: None)
    yield f"{unheard}'s recordings", [likeness(bench.hear(bench.read(one))) for one in recordings]


def table(heads: Sequence[str], rows: Iterator[tuple[str, list[tuple[float, float]]]]) -> None:
    """Print it row by row."""
    print(f"| | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    for name, values in rows:
        means = [summary(list(column)) for column in zip(*values, strict=True)]
        cells = [f"{m['mean']:.3f} [{m['low']:.3f}, {m['high']:.3f}]" for m in means]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print both tables."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--unheard", required=True, help="a voice of DATA that RUN has not")
    parser.add_argument("--n", type=int, default=6, help="utterances of each voice")
    parser.add_argument("--styles", type=int, default=8, help="sampled for each utterance")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(options)
    table(("1 - cosine", "mean cepstrum, dB"), spread(bench, options.n, options.styles))
    print()
    with tempfile.TemporaryDirectory() as temporary:
        heads = (f"similarity to {options.unheard}", "to the nearest of the model's voices")
        table(heads, clips(bench, options.unheard, options.n, Path(temporary)))


if __name__ == "__main__":
    main()
