"""What `--mix` and `--style` say of a target: shares of several domains, a style, a recording."""

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from voiceconv.converter import FrameConverter
from voiceconv.errors import InputError
from voiceconv.features import DomainStats
from voiceconv.models.base import MIX, STYLE, Styled

SAMPLE = "sample"  # --style sample:SEED
log = logging.getLogger(__name__)


def read_mix(text: str) -> dict[str, float]:
    """`nathalie:0.7,kathleen:0.3` -> shares by domain, as given. Raises InputError."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        domain, _, number = part.rpartition(":")
        try:
            share = float(number)
        except ValueError:
            share = 0.0
        if not domain or not 0 < share < float("inf") or domain in shares:
            raise InputError(
                f"--mix {text}: {part!r} is no share of one more domain; write "
                "--mix nathalie:0.7,kathleen:0.3"
            )
        shares[domain] = share
    return shares


def main_part(shares: Mapping[str, float]) -> str:
    """The domain with the largest share."""
    return max(shares, key=shares.__getitem__)


def mix_condition(shares: Mapping[str, float], converter: FrameConverter) -> dict[str, Tensor]:
    """Shares by domain -> the condition `mix`. Raises InputError where a model takes none."""
    for domain in shares:
        converter.check_domains(domain)
    if MIX not in converter.translator.default_condition():
        raise InputError(
            f"--mix {', '.join(shares)}: this model mixes none; choose one domain with --target"
        )
    return {MIX: torch.tensor([[shares.get(domain, 0.0) for domain in converter.domains]])}


def seeded(style: str) -> str:
    """`sample` -> `sample:SEED` with a seed of its own; others as they are."""
    if style != SAMPLE:
        return style
    drawn = f"{SAMPLE}:{secrets.randbelow(10_000)}"
    log.warning("--style %s gives this voice again", drawn)
    return drawn


def style_name(style: str) -> str:
    """What an output's name says of a style: `sample-7`, or the recording's name."""
    return style.replace(":", "-") if style.startswith(f"{SAMPLE}:") else Path(style).stem


def read_style(
    style: str, converter: FrameConverter, target: str
) -> tuple[dict[str, Tensor], DomainStats | None]:
    """`sample:SEED`, or a recording -> the condition `style`, and the recording's statistics.

    Raises InputError where the model takes no styles, or the seed is no number.
    """
    network = converter.translator
    if not isinstance(network, Styled):
        raise InputError(
            f"--style {style}: this model takes no styles; train one that does, such as "
            "experiment=munit_small"
        )
    kind, _, seed = style.partition(":")
    if kind == SAMPLE and not Path(style).exists():
        if not (seed.isascii() and seed.isdecimal()):
            raise InputError(f"--style {style}: {seed!r} is no seed; write --style {SAMPLE}:7")
        return {STYLE: network.sample_style(int(seed))}, None
    stats, frames = converter.listen_to(Path(style))
    with torch.no_grad():
        return {STYLE: network.encode_style(frames, converter.domains.index(target))}, stats
