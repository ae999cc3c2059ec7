"""Networks, one file a paper. They know nothing of audio: frames in, frames or verdicts out."""

from voiceconv.models.base import Discriminator, Generator, PairTranslator, Translator, Verdict

__all__ = ["Discriminator", "Generator", "PairTranslator", "Translator", "Verdict"]
