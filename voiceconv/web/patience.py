"""Slow clients lose their connection, so that they cannot take all there are."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0  # for the head of a request to arrive
READ_SECONDS = 30.0  # for a client to take what waits for it


class Patient:
    """Of a protocol of asyncio: ends a connection whose client does not read what is sent."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client has much to read."""
        super().pause_writing()  # type: ignore[misc]
        self._unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read it."""
        super().resume_writing()  # type: ignore[misc]
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._read()
        super().connection_lost(exc)  # type: ignore[misc]

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class PatientHttp(Patient, H11Protocol):
    """HTTP that waits HEAD_SECONDS for the head of a request, and after one for the next.

    Between two requests the keep-alive time of uvicorn counts, too; it ends with the first byte.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The first head is awaited."""
        super().connection_made(transport)
        self._await_head(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """The next head is awaited."""
        super().on_response_complete()
        self._await_head(self.timeout_keep_alive + HEAD_SECONDS)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The connection is another protocol's from now on."""
        self._forget()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._forget()
        super().connection_lost(exc)

    def _await_head(self, seconds: float) -> None:
        self._forget()
        self._head = self.loop.call_later(seconds, self._end_if_waiting)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()

    def _end_if_waiting(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
