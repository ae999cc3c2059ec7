"""`voiceconv convert`: recordings to the target's voice, by a model or a baseline."""

from collections.abc import Sequence
from pathlib import Path

from voiceconv.baselines import open_baseline
from voiceconv.commands import batch
from voiceconv.converter import Converter
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

    Arguments as the command line has them. Raises InputError, and RunError where some of several
    inputs failed.
    """
    without = target if source is None else None  # a data directory may hold the target, too
    jobs = batch.plan(inputs, output, target, source, without)
    converter = open_converter(model, dump, engine)
    converter.check_domains(target, source)

    def known(domain: str | None) -> str | None:
        """A data directory's domain, where the model knows it."""
        return domain if domain in converter.domains else None

    try:
        batch.run(
            jobs,
            lambda wave, domain, report: converter.convert(
                wave, target, source or known(domain), progress=report
            ),
            converter.sample_rate,
            sample_rate,
            skip_existing,
        )
    finally:  # what is there says what made it, even where it isn't all
        if len(jobs) > 1 and output is not None and Path(output).is_dir():
            write_conversion(Path(output), {**identify(model), "source": source, "target": target})


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
    return open_baseline(str(model).removeprefix(BASELINE), None if dump is None else Path(dump))


def identify(model: Path | str | None) -> dict[str, object]:
    """What a conversion says of its model: the name that was given, the digest of its files."""
    if str(model).startswith(BASELINE):
        return {"model": model, "sha256": None}
    folder = find_model(model)
    return {"model": folder.name if model is None else str(model), "sha256": digest(folder)}
