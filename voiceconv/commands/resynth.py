"""`voiceconv resynth`: analysis and synthesis, without conversion."""

from collections.abc import Sequence

from voiceconv.commands import batch
from voiceconv.commands.choices import open_vocoder
from voiceconv.converter import through_features
from voiceconv.device import pick_device


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
) -> None:
    """Copy recordings through features. Arguments as the command line has them.

    Raises InputError, and RunError where some of several inputs failed.
    """
    place = pick_device(device, "--device ")
    jobs = batch.plan(inputs, output, "resynth", domain)
    copier = open_vocoder(features, vocoder, model)
    copier.to(place)
    batch.run(
        jobs,
        lambda wave, _, report: through_features(copier, wave, progress=report),
        copier.extractor.sample_rate,
        sample_rate,
        skip_existing,
    )
