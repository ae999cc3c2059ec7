"""`voiceconv adapt`: a new target for a trained any-to-many model, from minutes of recordings."""

import copy
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from voiceconv.build import class_of
from voiceconv.commands.jobs import recordings
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest, find_model, read_config
from voiceconv.data.clips import Clips, read_clips
from voiceconv.data.perturbed import PerturbedCrops
from voiceconv.device import pick_device
from voiceconv.errors import InputError, RunError
from voiceconv.features import DomainStats, Features
from voiceconv.files import appearing, plain_name
from voiceconv.models import Translator
from voiceconv.models.any_to_many import AnyToManyTranslator, ProjectionDiscriminator
from voiceconv.objectives.adaptation import Adaptation
from voiceconv.progress import progress_bar
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.trainer import Trainer

LEAST, ENOUGH = 20.0, 60.0  # seconds of speech: below the first no voice is learnt
MINUTES = 5.0  # of wall time
RANK = 16  # of the adapters, where a model has none yet
N_FRAMES, N_OWN, N_OTHERS, N_PAIRS = 128, 8, 6, 5  # of a step's crops, and how many of each
FROM_TARGETS = 0.3  # share of the crops of anybody that are the voice's own, bent
N_TEACHERS = 4  # old voices that say each phrase
WEIGHTS = {
    "generator": {"identity": 10.0, "parallel": 3.0, "adversarial": 0.5, "feature_matching": 2.0},
    "discriminator": {"adversarial": 1.0, "penalty": 10.0},
}
AVERAGE = 0.99  # decay of the mean of the weights, which ships
PRECISION = "bf16"
N_TIMED = 8  # steps that tell how long one takes
_ADAM = {
    "generator": partial(torch.optim.Adam, lr=2e-3, betas=(0.8, 0.99)),
    "discriminator": partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.99)),
}


class Adapted(NamedTuple):
    """The new domain, the minutes of its speech, the steps that were taken."""

    domain: str
    minutes: float
    n_steps: int


def adapt(
    model: str,
    clips: Sequence[str],
    output: Path,
    name: str | None = None,
    minutes: float = MINUTES,
    n_steps: int | None = None,
    licence: str | None = None,
    seed: int = 0,
    device: str = "auto",
    say: Callable[[str], None] = lambda text: None,
) -> Adapted:
    """Write a model with one more target to `output`, whole or not at all; others stay to the bit.

    clips: files, folders, patterns. name: of the new domain; None: of the folder that `clips` is.
    minutes: wall time in all, unless `n_steps` says how long to learn; then, on one thread, the
    same call gives the same model. Raises InputError for a model without room for a domain, too
    little speech, and a name that is taken; RunError when interrupted.
    """
    began = time.monotonic()
    place = pick_device(device, "--device ")
    base = _open(model)
    domain = _domain(name, clips, base.domains)
    with appearing(output) as folder, tempfile.TemporaryDirectory() as scratch:
        with progress_bar("reading") as progress:
            heard = read_clips(recordings(clips), base.extractor, base.loudness, progress)
        _check_length(heard.seconds, say)
        stats = base.extractor.fit(heard.phrases.values())
        batches = _batches(base, domain, stats, heard, seed)
        torch.manual_seed(seed)
        converter = _with_room(base, domain, stats)
        make = partial(_trainer, converter, domain, batches, seed, Path(scratch), place)
        if n_steps is None:
            left = 60 * minutes - (time.monotonic() - began)
            n_steps = max(1, int(left / _seconds_a_step(make)))
        say(f"{heard.seconds / 60:.1f} minutes of speech, {n_steps:,} steps")
        trainer = make(n_steps)
        if not trainer.run():
            raise RunError(
                f"stopped at step {trainer.step} of {n_steps}; {output} was not written, and the "
                "same command begins anew"
            )
        converter.translator = trainer.network  # type: ignore[assignment]
        adapted = Adapted(domain, heard.seconds / 60, n_steps)
        converter.save_pretrained(folder, _card(base, model, adapted, licence, seed))
    return adapted


def _open(model: str) -> Converter:
    """A model that a domain can be added to. Raises InputError for another."""
    folder = find_model(model)
    network = class_of(read_config(folder)["translator"], Translator)
    if not issubclass(network, AnyToManyTranslator):
        raise InputError(
            f"{model} is a {network.__name__}, to which no voice can be added; take a model of "
            "any_to_many: the bundled four-voices, what `voiceconv fit` makes, or one that was "
            "adapted before"
        )
    return Converter.from_pretrained(folder, "torch")


def _domain(name: str | None, clips: Sequence[str], taken: Sequence[str]) -> str:
    """The new domain's name. Raises InputError where there is none, or another has it."""
    folder = Path(clips[0])
    if name is None and (len(clips) > 1 or not folder.is_dir()):
        raise InputError("the clips are no single folder, whose name the voice could have; --name")
    domain = plain_name(folder.resolve().name if name is None else name)
    if not domain or any(character.isspace() or character in "/,:" for character in domain):
        raise InputError(
            f"no voice can be called {domain!r}; choose a name without blanks, /, comma and colon "
            "by --name"
        )
    if domain in taken:
        raise InputError(f"the model has a voice {domain!r} already; choose another name by --name")
    return domain


def _check_length(seconds: float, say: Callable[[str], None]) -> None:
    """Raise InputError for too little speech; say where it is little."""
    if seconds < LEAST:
        raise InputError(
            f"the clips hold {seconds:.0f} s of speech, and no voice is learnt from less than "
            f"{LEAST:.0f} s; give 1 to 3 minutes"
        )
    if seconds < ENOUGH:
        say(f"only {seconds:.0f} s of speech; 1 to 3 minutes make a better voice")


def _with_room(base: Converter, domain: str, stats: DomainStats) -> Converter:
    """The model with a new domain, whose adapters are 0 as yet."""
    node = dict(base.config["translator"])
    node["adapter_rank"] = node.get("adapter_rank") or RANK
    grown = Converter(base.config | {"translator": node}, base.stats | {domain: stats})
    places = [None if one == domain else base.domains.index(one) for one in grown.domains]
    grown.translator.load_state_dict(grown.translator.grown(base.translator.state_dict(), places))
    return grown


def _batches(
    base: Converter, domain: str, stats: DomainStats, heard: Clips, seed: int
) -> PerturbedCrops:
    """Crops of the clips beside what the old voices make of them."""
    return PerturbedCrops(
        {domain: {name: _matrix(one.frames) for name, one in heard.phrases.items()}},
        {domain: stats},
        N_FRAMES,
        N_OWN,
        base.extractor,
        _by_teachers(base, heard.phrases),
        n_others=N_OTHERS,
        n_pairs=N_PAIRS,
        from_targets=FROM_TARGETS,
        aligned=True,
        seed=seed,
    )


@torch.no_grad()
def _by_teachers(
    base: Converter, phrases: Mapping[str, Features]
) -> dict[str, dict[str, np.ndarray]]:
    """Frames (T, C) of phrases in old voices, by voice and phrase; the voices take turns."""
    found: dict[str, dict[str, np.ndarray]] = {}
    n_voices = len(base.domains)
    for number, (name, one) in enumerate(phrases.items()):
        own = base.extractor.fit([one])
        for turn in range(min(N_TEACHERS, n_voices)):
            target = base.domains[(number + turn) % n_voices]
            frames = base.translate(one, own, target, target).frames
            found.setdefault(target, {})[name] = _matrix(frames)
    return found


def _matrix(frames: Tensor) -> np.ndarray:
    """(C, T) -> (T, C)."""
    return frames.T.contiguous().numpy()


def _trainer(
    converter: Converter,
    domain: str,
    batches: PerturbedCrops,
    seed: int,
    folder: Path,
    device: torch.device,
    n_steps: int,
) -> Trainer:
    """Of a copy of the converter's network."""
    torch.manual_seed(seed)
    network = copy.deepcopy(converter.translator)
    judge = partial(ProjectionDiscriminator, converter.extractor.n_channels)
    objective = Adaptation(network, judge, WEIGHTS, converter.domains.index(domain))
    return Trainer(
        objective,
        batches,
        _ADAM,
        LinearDecay(n_steps, n_steps // 2),
        folder,
        device=device,
        ema_decay=AVERAGE,
        precision=PRECISION,
        checkpoint_every=0,
        validate_every=0,
        seed=seed,
    )


def _seconds_a_step(make: Callable[[int], Trainer]) -> float:
    """The mean time of steps, of a trainer that is not used further."""
    trainer = make(N_TIMED + 1)
    trainer.train_step()  # the first step allocates
    start = time.monotonic()
    for _ in range(N_TIMED):
        trainer.train_step()
    return (time.monotonic() - start) / N_TIMED


def _card(
    base: Converter, model: str, adapted: Adapted, licence: str | None, seed: int
) -> dict[str, Any]:
    """The base's card, and how the new domain came to be."""
    card = dict(base.config["card"])
    folder = find_model(model)
    run = {
        "domain": adapted.domain,
        "from": folder.parent.name if folder.name == "model" else folder.name,
        "digest": digest(folder),
        "minutes": round(adapted.minutes, 2),
        "steps": adapted.n_steps,
        "seed": seed,
    }
    card["adapted"] = [*card.get("adapted", []), run]
    card["licence"] = licence  # that of the base says nothing of the new voice
    return card
