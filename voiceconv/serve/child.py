"""A program of the server in a process of its own, seen from the event loop."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from voiceconv.errors import InputError
from voiceconv.serve.wire import HEAD, Message, packed

LONGEST_START = 120.0  # seconds: importing torch takes a few, on a busy machine more


class ChildDiedError(Exception):
    """The program has ended without being told to; the text says how."""


class Child:
    """A running program: `python -m MODULE`, or another command, that speaks `wire`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        self._writer, self._reader = process.stdin, process.stdout
        self.about: Message = {}  # its first message

    @classmethod
    async def start(cls, command: Sequence[str], settings: Message) -> Self:
        """Start, hand over the settings, wait for the first message.

        Raises InputError if the program refuses the settings, ChildDiedError if it does not start.
        """
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": "1",
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C of a terminal reaches only the server
        )
        child = cls(process)
        try:
            async with asyncio.timeout(LONGEST_START):
                await child.send(settings)
                child.about, _ = await child.receive()
        except TimeoutError:
            await child.end()
            raise ChildDiedError(f"it did not start within {LONGEST_START:.0f} s") from None
        except BaseException:
            await child.end()
            raise
        if "refused" in child.about:
            await child.end()
            raise InputError(child.about["refused"])
        return child

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def send(self, message: Message, payload: bytes = b"") -> None:
        """Raises ChildDiedError."""
        try:
            self._writer.write(packed(message, payload))
            await self._writer.drain()
        except ConnectionError:
            raise await self._died() from None

    async def receive(self) -> tuple[Message, bytes]:
        """The next message. Raises ChildDiedError."""
        try:
            n_text, n_payload = HEAD.unpack(await self._reader.readexactly(HEAD.size))
            text = await self._reader.readexactly(n_text)
            return json.loads(text), await self._reader.readexactly(n_payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._died() from None

    def kill(self) -> None:
        """End it at once; who waits for it gets ChildDiedError."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """End it at once, and wait until it is gone."""
        self.kill()
        self._writer.close()
        await self._process.wait()

    async def _died(self) -> ChildDiedError:
        await self.end()
        code = self._process.returncode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ChildDiedError(f"the process {how}")
