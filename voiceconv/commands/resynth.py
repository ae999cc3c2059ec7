"""`voiceconv resynth`: analysis and synthesis, without conversion."""

from collections.abc import Sequence
from functools import partial

from voiceconv.commands import batch
from voiceconv.commands.choices import open_vocoder
from voiceconv.commands.jobs import plan
from voiceconv.converter import through_features
from voiceconv.converter.directory import digest
from voiceconv.device import pick_device
from voiceconv.provenance.note import RESYNTHESISED
from voiceconv.provenance.stamp import Stamp


def resynth(
    inputs: Sequence[str],
    features: str | None = None,
    vocoder: str | None = None,
    model: str | None = None,
    domain: str | None = None,
    output: str | None = None,
    sample_rate: int | None = None,
    skip_existing: bool = False,
    device: str = "auto",
    n_workers: int = 1,
) -> None:
    """Copy recordings through features. Arguments as the command line has them.

    Raises InputError, and RunError where some of several inputs failed.
    """
    jobs = plan(inputs, output, "resynth", domain)
    reopen = partial(_open, features, vocoder, model, device)
    batch.run(jobs, reopen(), reopen, sample_rate, skip_existing, n_workers)


def _open(
    features: str | None, vocoder: str | None, model: str | None, device: str
) -> batch.Opened:
    """What copies, of arguments that a worker process gets as they are."""
    place = pick_device(device, "--device ")
    copier = open_vocoder(features, vocoder, model)
    copier.to(place)
    weights = None if copier.folder is None else digest(copier.folder)
    parts = {"features": type(copier.extractor).__name__, "vocoder": type(copier).__name__}
    stamp = Stamp(RESYNTHESISED, {**parts, "sha256": weights})
    return batch.Opened(
        lambda wave, _, report: through_features(copier, wave, progress=report),
        copier.extractor.sample_rate,
        write=lambda job, wave, rate: stamp.write(job.output, wave, rate),
    )
