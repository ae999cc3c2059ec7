"""Live conversion over a WebSocket: a program for each stream, and bounds on what waits for it."""

import asyncio
import json
import logging
import math
import time
from collections import deque
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from voiceconv.errors import InputError
from voiceconv.serve.child import Child, ChildDiedError
from voiceconv.serve.metrics import Metrics
from voiceconv.serve.places import LATER, Places, StreamError
from voiceconv.serve.wire import Message

RATES = (8_000, 192_000)  # Hz
SAMPLE = 4  # bytes
SHORTEST_CHUNK, LONGEST_CHUNK = 0.002, 1.0  # seconds in one message; a shorter one counts as this
LONGEST_PUSH = 0.1  # seconds that a program gets at once, of several chunks that wait
WAITING = 2.0  # seconds of sound that wait; more is not read from the network
AHEAD = 5.0  # seconds by which a client may be faster than real time
IDLE = 30.0  # seconds without a sample
HUNG = 30.0  # seconds that a program may take for an answer
LONGEST = 3600.0  # seconds of a stream
STATS = 0.5  # seconds between two reports
SLACK = 0.02  # seconds by which output may be late
END = 1000  # code of closing
_log = logging.getLogger(__name__)


class Clock:
    """Counts drop-outs: chunks whose output came later than a converter in real time gives it.

    Such a converter takes each chunk when it has arrived and the one before is done, and needs as
    long as the chunk sounds. A chunk whose output is later than that by more than SLACK is one
    drop-out, and the count goes on from there: one pause of the server is one drop-out, and a pause
    of the client none.
    """

    def __init__(self) -> None:
        self.dropouts = 0
        self._due = -math.inf

    def chunk(self, arrived: float, seconds: float, done: float) -> bool:
        """Whether this chunk's output was late; times in seconds."""
        self._due = max(arrived, self._due) + seconds
        late = done > self._due + SLACK
        if late:
            self.dropouts += 1
            self._due = done
        return late


class Stream:
    """One client's stream: what arrives waits, bounded, until the program takes it."""

    def __init__(self, socket: WebSocket, child: Child, sample_rate: int, metrics: Metrics) -> None:
        self._socket, self._child, self._metrics = socket, child, metrics
        self._rate = sample_rate
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it arrived
        self._n_waiting = 0  # samples
        self._arrived = 0.0  # seconds
        self._flush = False
        self._changed = asyncio.Event()
        self._clock = Clock()
        self._began = self._reported = time.monotonic()
        self._busy = self._seconds = 0.0  # since the last report: at work, converted
        self._total = self._heard = 0.0
        self._power = 0.0
        self.idle = True  # the program owes no answer

    async def open(self, asked: Message) -> Message:
        """Open it in the program; what it says of itself. Raises StreamError, ChildDiedError."""
        answer, _ = await self._ask({"open": asked})
        self._began = self._reported = time.monotonic()
        ready: Message = answer["ready"]
        return ready

    async def run(self) -> None:
        """Until the client has all. Raises StreamError, WebSocketDisconnect, ChildDiedError."""
        self._heard = time.monotonic()
        reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(LONGEST):
                await self._convert(reading)
        except TimeoutError:
            raise StreamError(f"a stream lasts at most {LONGEST:.0f} s; open another") from None
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _read(self) -> None:
        """Take messages until `flush`."""
        while not self._flush:
            while self._n_waiting > WAITING * self._rate:
                self._changed.clear()
                await self._changed.wait()
            try:
                async with asyncio.timeout(self._heard + IDLE - time.monotonic()):
                    message = await self._socket.receive()
            except TimeoutError:
                raise StreamError(f"no sample came for {IDLE:.0f} s; send some") from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            if (data := message.get("bytes")) is not None:
                self._arrive(data)
            elif _is_flush(message.get("text")):
                self._flush = True
            else:
                raise StreamError('send float32 samples as binary, or {"type": "flush"} as text')
            self._changed.set()

    def _arrive(self, data: bytes) -> None:
        n_samples = len(data) // SAMPLE
        if len(data) % SAMPLE or n_samples > LONGEST_CHUNK * self._rate:
            raise StreamError(
                f"a chunk of {len(data)} bytes; send whole float32 samples, {LONGEST_CHUNK:g} s "
                "of them at most"
            )
        now = time.monotonic()
        self._arrived += max(n_samples / self._rate, SHORTEST_CHUNK)
        if self._arrived > now - self._began + AHEAD:
            raise StreamError("samples come faster than they sound; send them in real time")
        if n_samples:
            self._waiting.append((now, data))
            self._n_waiting += n_samples
            self._heard = now

    async def _convert(self, reading: asyncio.Task[None]) -> None:
        while True:
            if reading.done():
                await reading  # raises what it raised
            if self._waiting:
                await self._push()
            elif reading.done():
                break
            else:
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                try:
                    await asyncio.wait({changed, reading}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
        _, output = await self._ask({"flush": True})
        if output:
            await self._socket.send_bytes(output)
        if self._seconds:
            await self._report(time.monotonic())
        await self._socket.send_json({"type": "end"})

    async def _push(self) -> None:
        """Convert the next chunk, with those behind it where several wait; send the output."""
        chunks = [self._waiting.popleft()]
        n_samples = len(chunks[0][1]) // SAMPLE
        most = LONGEST_PUSH * self._rate
        while self._waiting and n_samples + len(self._waiting[0][1]) // SAMPLE <= most:
            chunks.append(self._waiting.popleft())
            n_samples += len(chunks[-1][1]) // SAMPLE
        answer, output = await self._ask({"push": True}, b"".join(data for _, data in chunks))
        self._n_waiting -= n_samples
        self._changed.set()
        if output:
            await self._socket.send_bytes(output)
        done = time.monotonic()
        for arrived, data in chunks:
            late = self._clock.chunk(arrived, len(data) / SAMPLE / self._rate, done)
            self._metrics.dropouts += late
            self._metrics.chunk.add(done - arrived)
        self._busy += answer["busy"]
        self._seconds += n_samples / self._rate
        self._power += answer["power"] * n_samples / self._rate
        if done - self._reported >= STATS:
            await self._report(done)

    async def _ask(self, message: Message, payload: bytes = b"") -> tuple[Message, bytes]:
        self.idle = False
        try:
            async with asyncio.timeout(HUNG):
                await self._child.send(message, payload)
                answer, output = await self._child.receive()
        except TimeoutError:
            raise ChildDiedError("the program that streams hangs") from None
        self.idle = True
        if "error" in answer:
            raise StreamError(answer["error"])
        return answer, output

    async def _report(self, now: float) -> None:
        self._total += self._seconds
        power = self._power / self._seconds
        await self._socket.send_json(
            {
                "type": "stats",
                "load": round(self._busy / self._seconds, 4),
                "dropouts": self._clock.dropouts,
                "level": round(10 * math.log10(max(power, 1e-12)), 1),
                "seconds": round(self._total, 3),
            }
        )
        self._reported, self._busy, self._seconds, self._power = now, 0.0, 0.0, 0.0


class Live:
    """The endpoint. models: by name, as /api/models has them."""

    def __init__(self, places: Places, models: dict[str, dict[str, Any]], metrics: Metrics) -> None:
        self.places, self.models, self.metrics = places, models, metrics

    async def __call__(self, socket: WebSocket) -> None:
        """A connection, from its first message to its last."""
        await socket.accept()
        code = END
        try:
            await self._serve(socket)
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: sent to one that has left
            return
        except StreamError as error:
            self.metrics.live_refused += 1
            code = error.code
            await _say(socket, {"type": "error", "detail": str(error)})
        except (ChildDiedError, InputError) as error:
            _log.warning("a live stream is lost: %s", error)
            code = LATER
            await _say(socket, {"type": "error", "detail": "the stream was lost; open it again"})
        if socket.application_state != WebSocketState.DISCONNECTED:
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(code)

    async def _serve(self, socket: WebSocket) -> None:
        asked = _asked(socket, self.models)
        child = await self.places.take()
        stream = Stream(socket, child, asked["sample_rate"], self.metrics)
        try:
            await socket.send_json({"type": "ready", **await stream.open(asked)})
            await stream.run()
        finally:
            await self.places.give_back(child, stream.idle)


def _asked(socket: WebSocket, models: dict[str, dict[str, Any]]) -> Message:
    """The query, checked as far as the server can. Raises StreamError."""
    query = socket.query_params
    streaming = [name for name, one in models.items() if one["streams"]]
    if not streaming:
        raise StreamError("no model of this server is for live use; start it with --model DIR")
    name = query.get("model") or streaming[0]
    if name not in streaming:
        raise StreamError(f"no live model {name!r}: this server has {', '.join(streaming)}")
    target = query.get("target") or ""
    if target not in models[name]["targets"]:
        raise StreamError(f"no target {target!r}: {name} has {', '.join(models[name]['targets'])}")
    rate = _number(query.get("sample_rate", "48000"), "sample_rate", *RATES)
    asked = query.get("look_ahead")
    look_ahead = _number(asked, "look_ahead", 0, 10_000) if asked else None
    return {
        "model": name,
        "target": target,
        "sample_rate": round(rate),
        "look_ahead": look_ahead,
    }


def _number(text: str, name: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise StreamError(f"{name} {text[:20]!r}: choose a number from {least} to {most}")
    return value


def _is_flush(text: str | None) -> bool:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "flush"


async def _say(socket: WebSocket, message: Message) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_json(message)
