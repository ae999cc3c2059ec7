"""Sound files and plain operations on waves; the only package that reads and writes sound files."""

from voiceconv.audio.bs1770 import block_powers, level, loudness, loudness_gain
from voiceconv.audio.mixing import Mix
from voiceconv.audio.opening import HIGHEST_RATE, LOWEST_RATE
from voiceconv.audio.reading import (
    EXTENSIONS,
    MEDIA_EXTENSIONS,
    AudioInfo,
    Recording,
    end_of_part,
    mixing,
    probe,
    read,
    refuse_longer,
)
from voiceconv.audio.tags import Tags, holds_tags, read_comments
from voiceconv.audio.waves import faded, n_resampled, resample, sounding, trim
from voiceconv.audio.writing import check_output, write

__all__ = [
    "EXTENSIONS",
    "HIGHEST_RATE",
    "LOWEST_RATE",
    "MEDIA_EXTENSIONS",
    "AudioInfo",
    "Mix",
    "Recording",
    "Tags",
    "block_powers",
    "check_output",
    "end_of_part",
    "faded",
    "holds_tags",
    "level",
    "loudness",
    "loudness_gain",
    "mixing",
    "n_resampled",
    "probe",
    "read",
    "read_comments",
    "refuse_longer",
    "resample",
    "sounding",
    "trim",
    "write",
]
