"""Vocoders: features -> waves."""

from voiceconv.vocoders.base import Vocoder
from voiceconv.vocoders.griffin_lim import GriffinLim
from voiceconv.vocoders.neural import NeuralVocoder
from voiceconv.vocoders.world import WorldSynthesis

__all__ = ["GriffinLim", "NeuralVocoder", "Vocoder", "WorldSynthesis"]
