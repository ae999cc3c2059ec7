"""What a trained model has to beat: conversions that need no GAN, through the same converter."""

from voiceconv.baselines.ladder import BASELINES, identify, open_converter

__all__ = ["BASELINES", "identify", "open_converter"]
