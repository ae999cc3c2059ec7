"""`voiceconv convert`: recordings to the target's voice, by a model or a baseline."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from voiceconv.commands import batch
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest, find_model
from voiceconv.device import pick_device
from voiceconv.errors import InputError
from voiceconv.models.exported import OnnxTranslator
from voiceconv.provenance import write_conversion

BASELINE = "baseline:"


def convert(
    inputs: Sequence[str],
    target: str,
    source: str | None = None,
    model: str | None = None,
    dump: Path | None = None,
    engine: str | None = None,
    output: str | None = None,
    sample_rate: int | None = None,
    skip_existing: bool = False,
    device: str = "auto",
    semitones: float = 0.0,
    n_workers: int = 1,
) -> None:
    """Convert recordings; conversion.json in an output folder says what made them.

    Arguments as the command line has them. Raises InputError, and RunError where some of several
    inputs failed.
    """
    without = target if source is None else None  # a data directory may hold the target, too
    jobs = batch.plan(inputs, output, target, source, without)
    reopen = partial(_open, target, source, model, dump, engine, device, semitones)
    opened = reopen()
    try:
        batch.run(jobs, opened, reopen, sample_rate, skip_existing, n_workers)
    finally:  # what is there says what made it, even where it isn't all
        if len(jobs) > 1 and output is not None and Path(output).is_dir():
            write_conversion(Path(output), {**identify(model), "source": source, "target": target})


def _open(
    target: str,
    source: str | None,
    model: str | None,
    dump: Path | None,
    engine: str | None,
    device: str,
    semitones: float,
) -> batch.Opened:
    """What converts, of arguments that a worker process gets as they are."""
    place = pick_device(device, "--device ")
    converter = open_converter(model, dump, engine)
    is_export = isinstance(converter.translator, OnnxTranslator)
    if is_export and place.type != "cpu" and device != "auto":
        raise InputError(
            f"--device {device} is for torch, and {model} is an export, which runs on the CPU; "
            "leave --device out"
        )
    converter.to(place)
    converter.check_domains(target, source)
    converter.check_semitones(semitones)

    def change(wave: Tensor, domain: str | None, report: batch.Report) -> Tensor:
        known = domain if domain in converter.domains else None  # of a data directory
        return converter.convert(
            wave, target, source or known, progress=report, semitones=semitones
        )

    return batch.Opened(change, converter.sample_rate)


def open_converter(
    model: Path | str | None = None, dump: Path | str | None = None, engine: str | None = None
) -> Converter:
    """`baseline:NAME`, or any other model as Converter.from_pretrained takes it.

    dump: as `open_baseline` takes it. engine: as Converter.from_pretrained takes it; a baseline has
    none to choose.
    Raises InputError for an unknown name, and for a dump that is missing or does not fit.
    """
    if not str(model).startswith(BASELINE):
        if dump is not None:
            raise InputError(
                f"--dump {dump} is for baselines, and {model or 'the bundled model'} is none: it "
                "has its own statistics; leave --dump out"
            )
        return Converter.from_pretrained(model, engine)
    if engine is not None:
        raise InputError(f"--engine {engine} is for networks, and {model} has none; leave it out")
    from voiceconv.baselines import open_baseline  # half a second of imports, for those alone

    return open_baseline(str(model).removeprefix(BASELINE), None if dump is None else Path(dump))


def identify(model: Path | str | None) -> dict[str, object]:
    """What a conversion says of its model: the name that was given, the digest of its files."""
    if str(model).startswith(BASELINE):
        return {"model": model, "sha256": None}
    folder = find_model(model)
    return {"model": folder.name if model is None else str(model), "sha256": digest(folder)}
