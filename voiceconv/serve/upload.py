"""Take a request's body into a file: counted as it arrives, refused when it is large or slow."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

SLOWEST = 16_000  # bytes a second on average, after
GRACE = 10.0  # seconds
STALLED = 20.0  # seconds without a byte
LONGEST = 900.0  # seconds for a whole body
AT_ONCE = 8  # times the largest body: bytes of all bodies that are arriving


class UploadError(Exception):
    """Status and sentence of a refusal."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Uploads:
    """All bodies that are arriving.

    most_bytes: of each. Slow clients hold few bytes and stalled ones go, so that they do not keep
    others out.
    """

    def __init__(self, most_bytes: int, grace: float = GRACE) -> None:
        self.most_bytes, self.grace = most_bytes, grace
        self._arriving = 0

    def check_length(self, stated: str | None) -> None:
        """Refuse a body that says itself that it is too large. Raises UploadError."""
        if stated is not None and (not stated.isdecimal() or int(stated) > self.most_bytes):
            raise self._too_large()

    async def store(self, chunks: AsyncIterator[bytes], path: Path) -> int:
        """Write the body to a new file, and sync it; return its bytes. Raises UploadError."""
        n_bytes = 0
        now = asyncio.get_running_loop().time
        began = now()
        try:
            with open(path, "xb") as file:
                while True:
                    wait = min(self.grace + n_bytes / SLOWEST, LONGEST)
                    async with asyncio.timeout_at(min(began + wait, now() + STALLED)):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    n_bytes += len(chunk)
                    self._arriving += len(chunk)
                    if n_bytes > self.most_bytes:
                        raise self._too_large()
                    if self._arriving > AT_ONCE * self.most_bytes:
                        raise UploadError(503, "too many uploads at once; try again later")
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_sync, file)
        except TimeoutError:
            raise UploadError(408, "the file arrives too slowly; try a faster network") from None
        except OSError:
            raise UploadError(503, "the server cannot keep files at the moment") from None
        finally:
            self._arriving -= n_bytes
        if n_bytes == 0:
            raise UploadError(422, "the request has no body; send the bytes of a sound file")
        return n_bytes

    def _too_large(self) -> UploadError:
        return UploadError(413, f"a file holds at most {self.most_bytes} bytes; send a part of it")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
