"""What augmentation is worth to a recogniser of commands that was told each of them once.

python command_recogniser.py RESULTS.md --test DATA --copies NAME=AUGMENTED --voice A --unseen B ...

The recogniser learns one recording of each command by voice A, and variants of that: at other
speeds, and the copies that `voiceconv augment` made. Its test are the recordings by voice B.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import Tensor, nn

from voiceconv import audio
from voiceconv.data.kaldi import Utterance, read_data_dir
from voiceconv.evaluation.bootstrap import difference, summary
from voiceconv.files import replace_text

RATE = 16000
N_BANDS = 40
N_FRAMES = 96  # to which every recording is squeezed or stretched
N_PLACES = 12
FACTORS = (0.9, 1.1)  # speeds of Kaldi's perturb_data_dir_speed_3way.sh
BATCH = 25
Errors = NDArray[np.float64]  # (seeds, commands): 1 where another command was recognised
Variants = Mapping[str, Sequence[Tensor]]  # command -> (N,) waves


class Examples(NamedTuple):
    """Recordings: frames (n, bands, N_FRAMES), and the command of each (n,)."""

    frames: Tensor
    labels: Tensor


class Recogniser(nn.Module):
    """(B, bands, N_FRAMES) -> (B, K) scores: three convolutions, means of N_PLACES times, a layer.

    The layer knows which place is when. A GRU or attention in its place learned the fifty
    recordings, and nothing of another voice: 95% of errors.
    """

    def __init__(self, n_commands: int, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_channels in (N_BANDS, width, width):
            layers.append(nn.Conv1d(n_channels, width, 5, stride=2, padding=2))
            layers += [nn.GroupNorm(4, width), nn.ReLU(), nn.Dropout(0.3)]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(N_PLACES), nn.Flatten())
        self.scores = nn.Linear(width * N_PLACES, n_commands)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        scores: Tensor = self.scores(self.layers(frames))
        return scores


def log_mel(wave: Tensor) -> Tensor:
    """(N,) -> (bands, N_FRAMES): without silence at the ends, each band of mean 0 and variance 1.

    All last equally long, because one voice may be half as fast again as the other.
    """
    mel = torchaudio.transforms.MelSpectrogram(RATE, 400, hop_length=160, n_mels=N_BANDS)
    frames = (mel(audio.trim(wave, RATE, 35.0)) + 1e-6).log()
    frames = nn.functional.adaptive_avg_pool1d(frames[None], N_FRAMES)[0]
    normal: Tensor = (frames - frames.mean(1, keepdim=True)) / (frames.std(1, keepdim=True) + 1e-3)
    return normal


def waves_of(utterances: Sequence[Utterance], stems: Sequence[str]) -> dict[str, list[Tensor]]:
    """Command -> waves (N,) of those that say it."""
    found: dict[str, list[Tensor]] = {stem: [] for stem in stems}
    for one in utterances:
        stem = stem_of(one)
        if stem in found:
            read = audio.read(one.path, RATE, one.start or 0.0, one.end, one.channel)
            found[stem].append(read.samples)
    return found


def stem_of(utterance: Utterance) -> str:
    """What is said: utterances of a sentence share the stem."""
    return utterance.id.removeprefix(f"{utterance.domain}-")


def at_speeds(waves: Variants) -> dict[str, list[Tensor]]:
    """Each recording faster and slower, its pitch with it, as Kaldi's speed perturbation."""
    return {
        stem: [
            audio.resample(one, round(RATE * factor), RATE) for one in some for factor in FACTORS
        ]
        for stem, some in waves.items()
    }


def examples(waves: Variants) -> Examples:
    """Their features; a command's label is its place."""
    made = [(log_mel(one), label) for label, some in enumerate(waves.values()) for one in some]
    frames, labels = zip(*made, strict=True)
    return Examples(torch.stack(frames), torch.tensor(labels))


def train(known: Examples, seed: int, n_epochs: int) -> Recogniser:
    """An epoch has each command once, by one of its variants: all conditions take as many steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    places = defaultdict(list)
    for place, label in enumerate(known.labels.tolist()):
        places[label].append(place)
    model = Recogniser(len(places))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    n_steps = n_epochs * -(-len(places) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
    for _ in range(n_epochs):
        chosen = torch.tensor([rng.choice(places[label]) for label in rng.permutation(len(places))])
        for batch in chosen.split(BATCH):
            scores, labels = model(known.frames[batch]), known.labels[batch]
            loss = nn.functional.cross_entropy(scores, labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.inference_mode()
def errors_of(model: Recogniser, asked: Examples) -> Errors:
    """(commands,) 1 where the recogniser is wrong."""
    found = model(asked.frames).argmax(1)
    return (found != asked.labels).numpy().astype(np.float64)


def conditions(
    originals: Variants, copies: Mapping[str, Variants]
) -> dict[str, dict[str, list[Tensor]]]:
    """Row -> command -> all that is trained on."""
    speeds = at_speeds(originals)
    rows: dict[str, list[Variants]] = {"none": [originals], "speed": [originals, speeds]}
    for name, made in copies.items():
        rows[name] = [originals, made]
    for name, made in copies.items():
        rows[f"{name} and speed"] = [originals, made, speeds]
    return {
        row: {stem: [one for part in parts for one in part[stem]] for stem in originals}
        for row, parts in rows.items()
    }


def over_seeds(errors: Errors) -> str:
    """(seeds, commands) -> mean [95% interval of Student's t over the seeds], in percent."""
    means = 100 * errors.mean(1)
    n = len(means)
    half = student.ppf(0.975, n - 1) * means.std(ddof=1) / n**0.5 if n > 1 else 0.0
    return f"{means.mean():.1f} [{means.mean() - half:.1f}, {means.mean() + half:.1f}]"


def table(errors: Mapping[str, Errors], sizes: Mapping[str, int]) -> str:
    """Row -> (seeds, commands), recordings -> markdown."""
    head = "augmentation|recordings|error, %, over seeds|over commands|change from none|from speed"
    lines = [f"| {head.replace('|', ' | ')} |", 6 * "| --- " + "|"]
    for row, one in errors.items():
        by_command = one.mean(0).tolist()
        whole = summary(by_command)
        cells = [row, str(sizes[row]), over_seeds(one)]
        cells.append(f"[{100 * whole['low']:.1f}, {100 * whole['high']:.1f}]")
        for base in ("none", "speed"):
            found = difference(errors[base].mean(0).tolist(), by_command)
            shown = [f"{100 * found[key]:+.1f}" for key in ("mean", "low", "high")]
            is_itself = row in ("none", base)
            cells.append("" if is_itself else f"{shown[0]} [{shown[1]}, {shown[2]}]")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train and test all; write the table."""
    given = parse()
    torch.set_num_threads(1)
    utterances = read_data_dir(given.test)
    asked_by = [one for one in utterances if one.domain == given.unseen]
    told_by = [one for one in utterances if one.domain == given.voice]
    shared = sorted(set(map(stem_of, asked_by)) & set(map(stem_of, told_by)))
    stems = shared[(given.part - 1) * given.n_commands :][: given.n_commands]
    if len(stems) < given.n_commands:
        raise SystemExit(
            f"command_recogniser.py: error: {given.voice} and {given.unseen} share {len(shared)} "
            f"sentences in {given.test}: too few for part {given.part} of {given.n_commands}"
        )
    copies = {}
    for name, folder in (text.split("=", 1) for text in given.copies):
        made = [one for one in read_data_dir(folder) if one.domain.startswith("as-")]
        own = [one for one in made if one.domain.endswith(f"-{given.voice}")]  # of the test's none
        copies[name] = waves_of(own, stems)
    test = examples(waves_of(asked_by, stems))
    started = time.process_time()
    errors, sizes = {}, {}
    for row, waves in conditions(waves_of(told_by, stems), copies).items():
        known = examples(waves)
        models = [train(known, seed, given.n_epochs) for seed in range(given.n_seeds)]
        errors[row] = np.stack([errors_of(model, test) for model in models])
        sizes[row] = len(known.labels)
        print(f"{row}: {over_seeds(errors[row])} % errors", flush=True)
    took = f"features, training and test: {time.process_time() - started:.0f} s of one core"
    text = "".join(f"- {fact}\n" for fact in [*given.facts, took]) + "\n" + table(errors, sizes)
    replace_text(given.results, text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="data directory of both voices")
    parser.add_argument("--copies", action="append", default=[], metavar="NAME=AUGMENTED")
    parser.add_argument("--voice", required=True, help="speaker who is trained on")
    parser.add_argument("--unseen", required=True, help="speaker who is the test")
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--n-commands", type=int, default=50)
    parser.add_argument("--n-seeds", type=int, default=5)
    parser.add_argument("--n-epochs", type=int, default=100)
    parser.add_argument("--facts", nargs="*", default=[], help="lines for the head of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
