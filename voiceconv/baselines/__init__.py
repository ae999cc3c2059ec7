"""Baselines: conversions without a GAN, through the same converter."""

from voiceconv.baselines.registry import BASELINES, open_baseline

__all__ = ["BASELINES", "open_baseline"]
