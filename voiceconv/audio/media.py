"""Formats of phones and video, decoded by FFmpeg through PyAV (the extra `media`)."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from voiceconv.audio.decoders import skipped
from voiceconv.audio.waves import Samples
from voiceconv.errors import InputError
from voiceconv.optional import load

# FFmpeg's names of the formats that are taken; it finds some of the others in noise and text.
_FORMATS = frozenset(
    "mov matroska asf aac amr amrnb amrwb ac3 eac3 ape tta wv ogg flv avi mpegts".split()
)
# A playlist would open other files, or addresses, before its format is looked at.
_OPTIONS = {"format_whitelist": ",".join(sorted(_FORMATS)), "protocol_whitelist": ""}
# libsndfile reads the sound of these, and not every text that FFmpeg has written into them.
_TEXTS = _OPTIONS | {
    "format_whitelist": ",".join(sorted({*_FORMATS, *"aiff flac mp3 wav".split()}))
}
# The formats whose header states the duration well enough to tell a cut file.
_EXACT, _SLACK = frozenset({"mov", "matroska", "asf"}), 0.5  # s


class NotMediaError(Exception):
    """The file is none that PyAV reads, and why."""


class _Source:
    """A file as FFmpeg asks for it: PyAV prints every exception that it meets."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek; -1 if a damaged file asks for an impossible place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError):
            return -1


def metadata(file: BinaryIO) -> list[tuple[str, str]]:
    """The texts of a file and of its first sound stream; none where PyAV is absent or fails."""
    try:
        av = load("av", "this format", "PyAV", extra="media")
    except InputError:
        return []
    file.seek(0)
    try:
        with av.open(_Source(file), options=_TEXTS, metadata_errors="replace") as container:
            parts = [container, *container.streams.audio[:1]]
            return [item for part in parts for item in part.metadata.items()]
    except av.FFmpegError:
        return []


class Media:
    """The first sound stream of a file. Its length is not known before it is decoded.

    Raises NotMediaError, and InputError if PyAV is not installed.
    """

    n_samples: int | None = None

    def __init__(self, file: BinaryIO) -> None:
        self._av = load("av", "this format", "PyAV", extra="media")
        self._file = file
        try:
            self._container = self._opened()
            format_ = self._container.format.name.split(",")[0]
            if format_ not in _FORMATS or not self._container.streams.audio:
                raise NotMediaError(f"FFmpeg finds no sound in it, but {format_}")
            stream = self._container.streams.audio[0]
            first = next(self._container.decode(stream), None)
        except self._av.FFmpegError as error:
            raise NotMediaError(f"FFmpeg: {error.strerror}") from None
        if first is None:
            raise NotMediaError("FFmpeg decodes no sound of it")
        # Of a frame: the header of AAC may state half the rate.
        self.sample_rate, self.n_channels = first.sample_rate, first.layout.nb_channels
        self._layout = first.layout.name
        self.subtype = stream.codec_context.name.upper()
        self._announced = self._duration(stream) if format_ in _EXACT else 0.0
        self.seek(0)

    def seek(self, sample: int) -> bool:
        """Decode from the start to a sample; False if a damaged file prevents it."""
        self._container.close()
        self._container = self._opened()
        self._blocks = self._decoded()
        self._rest = np.empty((0, self.n_channels), np.float32)
        self._n_done = 0
        return skipped(self, sample)

    def read(self, buffer: Samples) -> tuple[Samples, bool]:
        """Decode into (n, channels); return what was filled, and whether the decoder failed."""
        n_filled, failed = 0, False
        while n_filled < len(buffer) and not failed:
            if len(self._rest) == 0:
                try:
                    block = next(self._blocks, None)
                except self._av.FFmpegError:
                    block, failed = None, True
                if block is None:
                    seconds = self._n_done / self.sample_rate
                    failed = failed or seconds < self._announced - _SLACK
                    break
                self._rest = block
                self._n_done += len(block)
            part = self._rest[: len(buffer) - n_filled]
            buffer[n_filled : n_filled + len(part)] = part
            self._rest = self._rest[len(part) :]
            n_filled += len(part)
        return buffer[:n_filled], failed

    def close(self) -> None:
        """Free FFmpeg's part."""
        self._container.close()

    def _opened(self) -> Any:
        self._file.seek(0)
        return self._av.open(_Source(self._file), options=_OPTIONS, metadata_errors="replace")

    def _duration(self, stream: Any) -> float:
        """The seconds that the header announces, 0 if it does not."""
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        return float(self._container.duration or 0) / self._av.time_base

    def _decoded(self) -> Iterator[Samples]:
        """Blocks (n, channels), of one rate and layout even where a stream changes them."""
        to_floats = self._av.AudioResampler("flt", self._layout, self.sample_rate)
        frames = self._container.decode(self._container.streams.audio[0])
        for frame in chain(frames, [None]):
            for floats in to_floats.resample(frame):
                yield floats.to_ndarray().reshape(-1, self.n_channels)
