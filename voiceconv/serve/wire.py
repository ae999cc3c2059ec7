"""Messages between the server and its programs: JSON, and bytes beside it. No pickle.

A program reads from its standard input and writes to its standard output; `opened` keeps what
libraries print out of the messages.
"""

import json
import os
import struct
import sys
from typing import Any, BinaryIO

HEAD = struct.Struct(">II")  # bytes of the JSON, bytes beside it
Message = dict[str, Any]


def packed(message: Message, payload: bytes = b"") -> bytes:
    """A message as it is sent."""
    text = json.dumps(message).encode()
    return HEAD.pack(len(text), len(payload)) + text + payload


class Channel:
    """A program's side."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer

    def send(self, message: Message, payload: bytes = b"") -> None:
        """Raises BrokenPipeError if the server has ended."""
        self._writer.write(packed(message, payload))
        self._writer.flush()

    def receive(self) -> tuple[Message, bytes]:
        """The next message. Raises EOFError if the server has ended."""
        n_text, n_payload = HEAD.unpack(self._exactly(HEAD.size))
        return json.loads(self._exactly(n_text)), self._exactly(n_payload)

    def _exactly(self, n_bytes: int) -> bytes:
        found = self._reader.read(n_bytes)
        if len(found) < n_bytes:
            raise EOFError
        return found


def opened() -> Channel:
    """The channel of this program; from now on, what is printed goes to standard error."""
    channel = Channel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(sys.stderr.fileno(), 1)
    return channel
