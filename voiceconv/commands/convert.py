"""`voiceconv convert`: recordings to the target's voice, by a model or a baseline."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from voiceconv.commands import batch
from voiceconv.converter import Converter, FileConverter, FrameConverter, open_model
from voiceconv.converter.directory import digest, find_model
from voiceconv.errors import InputError
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
) -> None:
    """Convert recordings; conversion.json in an output folder says what made them.

    Where a model's features have files of their own, those. Arguments as the command line has
    them. Raises InputError, and RunError where some of several inputs failed.
    """
    without = target if source is None else None  # a data directory may hold the target, too
    converter = open_converter(model, dump, engine)
    jobs = batch.plan(inputs, output, target, source, without, _extensions(converter))
    converter.check_domains(target, source)

    def change(wave: Tensor, domain: str | None, report: batch.Report) -> Tensor:
        assert isinstance(converter, Converter)
        known = domain if domain in converter.domains else None
        return converter.convert(wave, target, source or known, progress=report)

    try:
        if isinstance(converter, FileConverter):
            if sample_rate is not None:
                raise InputError(f"--sample-rate {sample_rate} is for sound; leave it out")
            batch.run_all(jobs, partial(_convert_file, converter, target, source), skip_existing)
        else:
            batch.run(jobs, change, converter.sample_rate, sample_rate, skip_existing)
    finally:  # what is there says what made it, even where it isn't all
        if len(jobs) > 1 and output is not None and Path(output).is_dir():
            write_conversion(Path(output), {**identify(model), "source": source, "target": target})


def _extensions(converter: FrameConverter) -> frozenset[str] | None:
    """How the names of its files end; None: sound."""
    if isinstance(converter, FileConverter):
        return converter.representation.extensions
    return None


def _convert_file(
    converter: FileConverter, target: str, source: str | None, job: batch.Job, _: batch.Report
) -> None:
    known = job.domain if job.domain in converter.domains else None
    batch.make_folder(job)
    path, output = Path(job.path), Path(job.output)
    converter.convert(path, output, target, source or known, job.start, job.end)


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
    from voiceconv.baselines import open_baseline  # half a second of imports, for those alone

    return open_baseline(str(model).removeprefix(BASELINE), None if dump is None else Path(dump))


def identify(model: Path | str | None) -> dict[str, object]:
    """What a conversion says of its model: the name that was given, the digest of its files."""
    if str(model).startswith(BASELINE):
        return {"model": model, "sha256": None}
    folder = find_model(model)
    return {"model": folder.name if model is None else str(model), "sha256": digest(folder)}
