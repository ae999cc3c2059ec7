"""Voices that a model never heard, converted without `--source`: do they come closer to the target?

python benchmarks/strangers.py --corpus CC0_SPEECH [--model MODEL] [--n 20]

Takes the first N `test` files of kathleen and of kerstin to every domain of the model; prints for
each target how many of them are nearer its training recordings (Resemblyzer) than their input was.
"""

import argparse
import json
from pathlib import Path

import torch

from voiceconv import Converter, audio
from voiceconv.metrics.speaker_similarity import SpeakerEncoder, mean_embedding, similarity
from voiceconv.metrics.wave_input import SAMPLE_RATE

STRANGERS = ("kathleen", "kerstin")


def main() -> None:
    """Print one line a target and stranger, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", default=None)
    parser.add_argument("--n", type=int, default=20, help="files of each stranger")
    options = parser.parse_args()
    converter = Converter.from_pretrained(options.model)
    encoder = SpeakerEncoder()
    results = []
    for target in converter.domains:
        wanted = mean_embedding(
            [encoder.embed(_read(path)) for path in _files(options.corpus, target, "train")]
        )
        for stranger in STRANGERS:
            before, after = [], []
            for path in _files(options.corpus, stranger, "test")[: options.n]:
                wave = audio.read(path, converter.sample_rate).samples
                converted = converter.convert(wave, target)
                before.append(similarity(wanted, encoder.embed(_read(path))))
                at_16k = audio.resample(converted, converter.sample_rate, SAMPLE_RATE)
                after.append(similarity(wanted, encoder.embed(at_16k.numpy())))
            n_nearer = sum(b < a for b, a in zip(before, after, strict=True))
            results.append(
                {
                    "stranger": stranger,
                    "target": target,
                    "n": len(after),
                    "n_nearer": n_nearer,
                    "similarity_before": sum(before) / len(before),
                    "similarity_after": sum(after) / len(after),
                }
            )
            print(
                f"{stranger} to {target}: {n_nearer} of {len(after)} nearer, similarity "
                f"{results[-1]['similarity_before']:.3f} -> {results[-1]['similarity_after']:.3f}"
            )
    print(json.dumps(results))


def _files(corpus: Path, speaker: str, split: str) -> list[Path]:
    names = (corpus / "splits" / f"{speaker}.{split}").read_text(encoding="utf-8").split()
    return [corpus / speaker / f"{name}.flac" for name in names]


def _read(path: Path) -> torch.Tensor:
    return audio.read(path, SAMPLE_RATE).samples.numpy()


if __name__ == "__main__":
    main()
