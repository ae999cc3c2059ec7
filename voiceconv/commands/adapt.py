"""`voiceconv adapt`: a new target for a trained any-to-many model, from minutes of recordings."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from voiceconv.build import class_of
from voiceconv.commands.jobs import recordings
from voiceconv.converter import Converter
from voiceconv.converter.directory import called, digest, find_model, read_config
from voiceconv.data.clips import read_clips
from voiceconv.device import pick_device
from voiceconv.errors import InputError, RunError
from voiceconv.features import DomainStats
from voiceconv.files import appearing, plain_name
from voiceconv.models import Translator
from voiceconv.models.any_to_many import AnyToManyTranslator
from voiceconv.progress import progress_bar
from voiceconv.runs.adaptation import Adaptation, make_batches
from voiceconv.training.signals import StopSignals

LEAST, ENOUGH = 20.0, 60.0  # seconds of speech: below the first no voice is learnt
MINUTES = 5.0  # of wall time
RANK = 16  # of the adapters, where a model has none yet
N_TIMED = 8  # steps that tell how long one takes


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
    source = find_model(model)
    base = _open(source, model)
    domain = _domain(name, clips, base.domains)
    with appearing(output) as folder:
        with progress_bar("reading") as progress:
            heard = read_clips(recordings(clips), base.extractor, base.loudness, progress)
        _check_length(heard.seconds, say)
        stats = base.extractor.fit(heard.phrases.values())
        torch.manual_seed(seed)
        converter = _with_room(base, domain, stats)
        assert isinstance(converter.translator, AnyToManyTranslator)
        make = partial(
            Adaptation,
            converter.translator,
            converter.domains.index(domain),
            make_batches(base, domain, stats, heard.phrases, seed),
            device=place,
            seed=seed,
        )
        if n_steps is None:
            left = 60 * minutes - (time.monotonic() - began)
            n_steps = max(1, int(left / _seconds_a_step(make)))
        say(f"{heard.seconds / 60:.1f} minutes of speech, {n_steps:,} steps")
        adaptation = make(n_steps)
        _learn(adaptation, n_steps, output)
        converter.translator = adaptation.averaged()
        adapted = Adapted(domain, heard.seconds / 60, n_steps)
        converter.save_pretrained(folder, _card(base, source, adapted, licence, seed))
    return adapted


def _open(folder: Path, model: str) -> Converter:
    """A model that a domain can be added to. Raises InputError for another."""
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
    if not domain or not domain.isprintable() or set(domain) & set(" /,:"):
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
    grown.novelty = base.novelty
    places = [None if one == domain else base.domains.index(one) for one in grown.domains]
    grown.translator.load_state_dict(grown.translator.grown(base.translator.state_dict(), places))
    return grown


def _seconds_a_step(make: Callable[[int], Adaptation]) -> float:
    """The mean time of a few steps, which are not used further."""
    trial = make(N_TIMED + 1)
    trial.step()  # the first step allocates
    start = time.monotonic()
    for _ in range(N_TIMED):
        trial.step()
    return (time.monotonic() - start) / N_TIMED


def _learn(adaptation: Adaptation, n_steps: int, output: Path) -> None:
    """All steps. Raises RunError where a signal asks for a stop."""
    with StopSignals() as signals, progress_bar("adapting") as progress:
        while adaptation.n_done < n_steps:
            if signals.received:
                raise RunError(
                    f"stopped at step {adaptation.n_done} of {n_steps}; {output} was not written, "
                    "and the same command begins anew"
                )
            adaptation.step()
            progress(adaptation.n_done, n_steps)


def _card(
    base: Converter, folder: Path, adapted: Adapted, licence: str | None, seed: int
) -> dict[str, Any]:
    """The base's card, and how the new domain came to be."""
    card = dict(base.config["card"])
    run = {
        "domain": adapted.domain,
        "from": called(folder),
        "digest": digest(folder),
        "minutes": round(adapted.minutes, 2),
        "steps": adapted.n_steps,
        "seed": seed,
    }
    card["adapted"] = [*card.get("adapted", []), run]
    card |= {"licence": licence, "consent": None}  # the base's say nothing of the new voice
    return card
