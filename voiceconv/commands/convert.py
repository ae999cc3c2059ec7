"""`voiceconv convert`: recordings to the target's voice, by a model or a baseline."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from voiceconv.commands import batch
from voiceconv.commands.jobs import STREAM, Job, plan
from voiceconv.commands.targets import (
    SAMPLE,
    main_part,
    mix_condition,
    read_mix,
    read_style,
    seeded,
    style_name,
)
from voiceconv.converter import Converter, FileConverter, FrameConverter, open_model
from voiceconv.converter.conversion import Conversion
from voiceconv.converter.directory import called, digest, find_model, read_config
from voiceconv.converter.full_band import FullBand
from voiceconv.data.stores import local
from voiceconv.device import pick_device
from voiceconv.errors import InputError, RunError
from voiceconv.files import printable
from voiceconv.hub import hub_name, pinned
from voiceconv.provenance import write_conversion
from voiceconv.provenance.note import CONVERTED
from voiceconv.provenance.stamp import NO_MARKS, Marks, Stamp
from voiceconv.workers import Executor

BASELINE = "baseline:"
STRENGTH = "strength"  # the condition that --strength sets
records = logging.getLogger("voiceconv.records")  # of --json: from workers as logs come


class Choice(NamedTuple):
    """What converts, and how, as the command line has it; a worker process gets it as it is."""

    target: str
    source: str | None = None
    model: str | None = None
    dump: str | None = None
    engine: str | None = None
    device: str = "auto"
    semitones: float = 0.0
    strength: float | None = None
    condition: Sequence[str] = ()  # NAME=VALUE
    mix: str | None = None  # DOMAIN:SHARE,..., whose main part is the target
    style: str | None = None  # sample:SEED, or a recording
    full_band: str | None = None  # a model of narrow to full
    as_json: bool = False  # a line on stdout for each conversion

    @classmethod
    def of(cls, target: str | None, mix: str | None, **others: Any) -> "Choice":
        """Of a target or a mixture. Raises InputError unless it is one of them."""
        if (target is None) == (mix is None):
            raise InputError("give a target: --target DOMAIN, or --mix DOMAIN:SHARE,DOMAIN:SHARE")
        return cls(target or main_part(read_mix(mix or "")), mix=mix, **others)

    @property
    def name(self) -> str:
        """What an output's name says of the target."""
        name = self.target if self.mix is None else self.mix.replace(":", "-").replace(",", "-")
        return name if self.style is None else f"{name}-{style_name(self.style)}"


def convert_in_styles(
    inputs: Sequence[str],
    choice: Choice,
    styles: Sequence[str],
    output: str | None = None,
    **others: Any,
) -> None:
    """`convert` once for each style; several have a folder each below `output`."""
    chosen = [seeded(one) for one in styles]
    names = [style_name(one) for one in chosen]
    if len(set(names)) < len(names):
        raise InputError(f"--style {', '.join(names)}: two have one name; rename a recording")
    if len(names) > 1 and output == STREAM:
        raise InputError(f"-o - takes one output, not {len(names)} styles; give a folder")
    if not chosen:
        convert(inputs, choice, output, **others)
    for style, name in zip(chosen, names, strict=True):
        place = output if len(names) < 2 or output is None else f"{Path(output) / name}/"
        convert(inputs, choice._replace(style=style), place, **others)


def convert(
    inputs: Sequence[str],
    choice: Choice,
    output: str | None = None,
    sample_rate: int | None = None,
    skip_existing: bool = False,
    n_workers: int = 1,
    marks: Marks = NO_MARKS,
    executor: Executor | None = None,
) -> None:
    """Convert recordings, or the files of a model's own kind; conversion.json says what made them.

    Each file of sound says it, too; marks: what else says it.
    Raises InputError, and RunError where some of several inputs failed.
    """
    choice = choice._replace(model=pinned(choice.model), full_band=pinned(choice.full_band))
    source = choice.source
    converter = _open(choice)
    without = choice.target if source is None else None  # a data directory may hold the target, too
    extensions = None
    if isinstance(converter, FileConverter):
        extensions = converter.representation.extensions
        if marks.watermark or marks.certificates is not None:
            raise InputError("--watermark and --c2pa-cert are for sound; leave them out")
    jobs = plan(inputs, output, choice.name, source, without, extensions)
    for job in jobs:
        marks.check(job.output)
    if choice.as_json and any(job.output == STREAM for job in jobs):
        raise InputError("--json and -o - both write to stdout; give a file, or leave --json out")
    is_folder = len(jobs) > 1 and output is not None
    opened, done = _opened(converter, choice, marks, is_folder), list[Job]()
    reopen = partial(_reopen, choice, marks, is_folder)
    try:
        with _records_to_stdout():
            batch.run(
                jobs, opened, reopen, sample_rate, skip_existing, n_workers, done.append, executor
            )
    finally:  # what is there says what made it, even where it isn't all
        if done and is_folder and output is not None and Path(output).is_dir():
            write_conversion(Path(output), identify(choice.model) | described(choice))


def consent(model: Path | str | None) -> str | None:
    """What a model's card says of the consent of those whose voices it gives; None: nothing."""
    if str(model).startswith(BASELINE):
        return None
    said = (read_config(find_model(model)).get("card") or {}).get("consent")
    return None if said is None else str(said)


def _reopen(choice: Choice, marks: Marks, noted: bool) -> batch.Opened | batch.OpenedFiles:
    return _opened(_open(choice), choice, marks, noted)


def _open(choice: Choice) -> Converter | FileConverter:
    """The converter on its device. Raises InputError where it could not do what is asked for."""
    device = pick_device(choice.device, "--device ")
    converter = open_converter(choice.model, choice.dump, choice.engine)
    if converter.translator.is_export and device.type != "cpu" and choice.device != "auto":
        raise InputError(
            f"--device {choice.device} is for torch, and {choice.model} is an export, which runs "
            "on the CPU; leave --device out"
        )
    converter.to(device)
    converter.check_domains(choice.target, choice.source)
    if choice.strength is not None and STRENGTH not in converter.translator.default_condition():
        raise InputError(f"--strength {choice.strength:g}: this model takes none; leave it out")
    if isinstance(converter, Converter):
        converter.check_semitones(choice.semitones)
    elif choice.semitones:
        raise InputError(f"--semitones {choice.semitones:g} is for sound; leave it out")
    elif choice.full_band is not None:
        raise InputError(f"--full-band {choice.full_band} is for sound; leave it out")
    elif choice.as_json:
        raise InputError("--json is for sound; leave it out")
    return converter


class _Printed(logging.Handler):
    """Prints a line for each record. Raises RunError where nobody reads it."""

    def emit(self, record: logging.LogRecord) -> None:
        """See Handler."""
        try:
            print(record.getMessage(), flush=True)
        except OSError as error:
            sys.stdout = open(os.devnull, "w")  # what is left would fail again, at the end
            raise RunError(f"--json: standard output takes no more ({error.strerror})") from None


@contextmanager
def _records_to_stdout() -> Iterator[None]:
    """What `records` gets is printed, a line each, and nothing else of it shown."""
    handler = _Printed()
    records.addHandler(handler)
    records.propagate = False
    try:
        yield
    finally:
        records.removeHandler(handler)
        records.propagate = True


def _opened(
    converter: Converter | FileConverter, choice: Choice, marks: Marks, noted: bool
) -> batch.Opened | batch.OpenedFiles:
    """What does a job; noted: conversion.json will say what made the files."""
    given = [] if choice.strength is None else [f"{STRENGTH}={choice.strength}"]
    if given and any(one.startswith(f"{STRENGTH}=") for one in choice.condition):
        raise InputError("--strength and --condition strength= are the same; give one of them")
    condition = dict(read_condition([*choice.condition, *given], converter))
    voice = None
    if choice.mix is not None:
        condition |= mix_condition(read_mix(choice.mix), converter)
    if choice.style is not None:
        style, voice = read_style(choice.style, converter, choice.target)
        condition |= style

    def source_of(domain: str | None) -> str | None:
        """The source that is named, or else a data directory's domain, where it is known."""
        return choice.source or (domain if domain in converter.domains else None)

    stamp = Stamp(CONVERTED, stated(choice), marks, noted)
    if isinstance(converter, FileConverter):

        def convert_file(job: Job) -> None:
            path, output, source = Path(job.path), Path(job.output), source_of(job.domain)
            stamp.check_beside(output)
            converter.convert(
                path, output, choice.target, source, job.start, job.end, condition, voice
            )
            stamp.put_beside(output, source=source)

        return batch.OpenedFiles(convert_file)
    full_band = open_full_band(choice, converter.sample_rate)
    records.setLevel(logging.INFO if choice.as_json else logging.WARNING)

    made: list[Conversion] = []  # of the job that is worked on

    def change(wave: Tensor, job: Job, report: batch.Report) -> Tensor:
        made.clear()
        share = 0.5 if full_band else 1.0  # of the job
        converted = converter.convert(
            wave,
            choice.target,
            source_of(job.domain),
            progress=lambda done: report(share * done),
            semitones=choice.semitones,
            condition=condition,
            target_stats=voice,
            name=printable(job.source),
            noted=made.append,
        )
        if full_band is None:
            return converted
        return full_band.extend(
            converted, converter.sample_rate, lambda done: report(share + share * done)
        )

    def write(job: Job, wave: Tensor, sample_rate: int) -> None:
        stamp.write(job.output, wave, sample_rate, source=source_of(job.domain))
        for conversion in made:
            files = {"input": printable(job.source), "output": printable(job.output)}
            records.info("%s", json.dumps(files | conversion.as_json))

    made_rate = full_band.sample_rate if full_band else None
    return batch.Opened(change, converter.sample_rate, made_rate, write)


def open_full_band(choice: Choice, sample_rate: int) -> FullBand | None:
    """The model of narrow to full, if one is asked for; of waves at sample_rate."""
    if choice.full_band is None:
        return None
    converter = open_converter(choice.full_band)
    if not isinstance(converter, Converter):
        raise InputError(f"--full-band {choice.full_band} is no model of sound; leave it out")
    full_band = FullBand(converter.to(pick_device(choice.device, "--device ")), choice.full_band)
    full_band.check_rate(sample_rate)
    return full_band


def read_condition(given: Sequence[str], converter: FrameConverter) -> Mapping[str, Tensor]:
    """NAME=VALUE texts -> tensors by name: numbers with commas, or the file of a reference.

    Raises InputError for a name that the model does not take, and for values of another number.
    """
    defaults = converter.translator.default_condition()
    condition = {}
    for text in given:
        name, _, value = text.partition("=")
        converter.check_conditions([name])
        if defaults[name].ndim == 3:
            condition[name] = converter.reference(Path(value))
            continue
        try:
            numbers = [float(number) for number in value.split(",")]
        except ValueError:
            raise InputError(
                f"--condition {text!r} is no NAME=VALUE with numbers; write --condition style=0.5,1"
            ) from None
        condition[name] = _shaped(torch.tensor([numbers]), defaults[name], text)
    return converter.complete(condition)


def _shaped(given: Tensor, default: Tensor, text: str) -> Tensor:
    """(1, n) -> in the default's shape and type, where it has as many numbers."""
    if default.numel() != given.numel():
        return given
    shaped = given.reshape(default.shape).to(default.dtype)
    if not torch.equal(shaped.to(given.dtype), given.reshape(default.shape)):
        raise InputError(f"--condition {text!r} takes whole numbers; write --condition label=2")
    return shaped


def open_converter(
    model: Path | str | None = None, dump: Path | str | None = None, engine: str | None = None
) -> Converter | FileConverter:
    """`baseline:NAME`, or any other model as FrameConverter.from_pretrained takes it.

    dump: as `open_baseline` takes it. engine: as from_pretrained takes it; a baseline has none to
    choose.
    Raises InputError for an unknown name, and for a dump that is missing or does not fit.
    """
    if not str(model).startswith(BASELINE):
        if dump is not None:
            raise InputError(
                f"--dump {dump} is for baselines, and {model or 'the bundled model'} is none: it "
                "has its own statistics; leave --dump out"
            )
        return open_model(model, engine)
    if engine is not None:
        raise InputError(f"--engine {engine} is for networks, and {model} has none; leave it out")
    from voiceconv.baselines import open_baseline  # a plain conversion does without them

    return open_baseline(str(model).removeprefix(BASELINE), None if dump is None else local(dump))


def described(choice: Choice) -> dict[str, object]:
    """What a conversion says of the choice: source, target, and every other one that was made."""
    given, defaults = choice._asdict(), Choice._field_defaults
    names = ("mix", "style", "strength", "semitones", "condition")
    chosen = {name: given[name] for name in names if given[name] != defaults[name]}
    if choice.full_band is not None:
        chosen["full_band"] = identify(choice.full_band)
    return {"source": choice.source, "target": choice.target, **chosen}


def identify(model: Path | str | None) -> dict[str, object]:
    """What a conversion says of its model: the name that was given, the digest of its files.

    Of one of the hub also the revision: the commit.
    """
    if str(model).startswith(BASELINE):
        return {"model": model, "sha256": None}
    folder = find_model(model)
    on_hub = hub_name(model)
    if on_hub is not None:
        return {"model": on_hub.repository, "revision": folder.name, "sha256": digest(folder)}
    return {"model": folder.name if model is None else str(model), "sha256": digest(folder)}


def stated(choice: Choice) -> dict[str, object]:
    """What each file says of the choice: as `described`, without places of this machine."""
    facts = {**public(choice.model), **described(choice)}
    if choice.style is not None and not choice.style.startswith(f"{SAMPLE}:"):
        facts["style"] = "a recording"
    if choice.condition:
        facts["condition"] = [_without_place(one) for one in choice.condition]
    if choice.full_band is not None:
        facts["full_band"] = public(choice.full_band)
    return facts


def public(model: Path | str | None) -> dict[str, object]:
    """What `identify` says of a model, its name without its place."""
    facts = identify(model)
    if model is not None and Path(model).exists():
        facts["model"] = called(find_model(model))
    return facts


def _without_place(condition: str) -> str:
    """NAME=VALUE as it is if the value is numbers; else it is the file of a reference."""
    name, _, value = condition.partition("=")
    is_numbers = set(value) <= set("0123456789.,+-eE ")
    return condition if is_numbers else f"{name}=a file"
