"""A classifier of two genres: training, files, answers. Brunner et al. 2018, section IV."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceconv.errors import InputError
from voiceconv.genre.phrases import Phrases, read_phrases
from voiceconv.model_folder import (
    CONFIG,
    read_settings,
    read_weights,
    write_settings,
    write_weights,
)
from voiceconv.models.brunner import GenreClassifier
from voiceconv.progress import Progress

WEIGHTS = "classifier.safetensors"
NOISES = (0.0, 0.01, 0.1, 0.2, 0.3, 0.5)  # sigma: the columns of the thesis' table 5.1
BATCH = 32  # phrases, half of each genre
LR, BETAS = 2e-4, (0.5, 0.999)
AT_ONCE = 256  # phrases that are judged together
_KINDS = {"domains": list, "base_channels": int, "noise": float, "accuracy": dict}


class Classifier:
    """A trained network, its two genres, and its accuracy in % by noise on phrases not learnt."""

    def __init__(
        self,
        network: GenreClassifier,
        domains: list[str],
        base_channels: int,
        noise: float,
        accuracy: dict[float, float],
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.domains = domains
        self.base_channels = base_channels
        self.noise = noise
        self.accuracy = accuracy

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The inverse of write. Raises InputError."""
        config = read_settings(folder / CONFIG, _KINDS, "classifier")
        network = GenreClassifier(config["base_channels"])
        try:
            network.load_state_dict(read_weights(folder / WEIGHTS, "classifier"))
        except RuntimeError as error:
            raise InputError(f"{folder}: weights of another network; train it again") from error
        names = ("domains", "base_channels", "noise", "accuracy")
        return cls(network, *(config[name] for name in names))

    def write(self, folder: Path) -> None:
        """Write config.yaml and the weights."""
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / WEIGHTS, self.network.state_dict())
        kept = {name: getattr(self, name) for name in _KINDS}
        write_settings(folder / CONFIG, kept)

    def probability(self, phrases: Tensor, domain: str, noise: Tensor | None = None) -> Tensor:
        """Phrases (N, 84, 64) -> how likely each is of a genre (N,)."""
        parts = []
        with torch.no_grad():
            for start in range(0, len(phrases), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                parts.append(self.network(phrases[part], None if noise is None else noise[part]))
        return torch.cat(parts).softmax(1)[:, self.domains.index(domain)]


def train_classifier(
    dump: Path,
    noise: float = 0.3,
    n_steps: int = 2000,
    base_channels: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
) -> Classifier:
    """DUMP/train of two genres -> a classifier, measured on DUMP/test.

    noise: each batch gets N(0, sigma), sigma uniform up to this, so that no threshold deceives it.
    The authors' code has noise in the test alone. Raises InputError unless there are two genres.
    """
    train, test = (read_phrases(dump / split) for split in ("train", "test"))
    domains = sorted(train)
    if len(domains) != 2 or sorted(test) != domains:
        raise InputError(
            f"{dump} has {', '.join(domains)} to learn and {', '.join(sorted(test))} to test; a "
            "classifier takes two genres, both in train and test"
        )
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GenreClassifier(base_channels)
    optimizer = torch.optim.Adam(network.parameters(), LR, BETAS)
    labels = torch.tensor([0, 1]).repeat_interleave(BATCH // 2)
    for step in range(n_steps):
        drawn = []
        for domain in domains:
            some = train[domain].rolls
            drawn.append(some[torch.randint(len(some), (BATCH // 2,), generator=generator)])
        phrases = torch.cat(drawn)
        sigma = noise * torch.rand((), generator=generator)
        added = sigma * torch.randn(phrases.shape, generator=generator)
        loss = F.cross_entropy(network(phrases, added), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if progress:
            progress(step + 1, n_steps)
    trained = Classifier(network, domains, base_channels, noise, {})
    trained.accuracy = {sigma: _accuracy(trained, test, sigma, seed) for sigma in NOISES}
    return trained


def _accuracy(classifier: Classifier, test: dict[str, Phrases], sigma: float, seed: int) -> float:
    """In %, the mean of both genres."""
    generator = torch.Generator().manual_seed(seed)
    shares = []
    for domain, (rolls, *_) in test.items():
        noise = sigma * torch.randn(rolls.shape, generator=generator)
        right = classifier.probability(rolls, domain, noise) > 0.5
        shares.append(float(right.float().mean()))
    return round(100 * sum(shares) / len(shares), 2)
