"""Networks, one file per paper. Independent of audio: frames -> frames or verdicts."""

from voiceconv.models.base import Discriminator, Generator, PairTranslator, Translator, Verdict

__all__ = ["Discriminator", "Generator", "PairTranslator", "Translator", "Verdict"]
