"""Protection of the endpoints: size of bodies, response headers, wrong passwords."""

import asyncio
import hashlib
import ipaddress
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024
MOST_SECONDS = 30.0  # seconds for a body to arrive

# Scripts, styles, sound and requests only from this server, no framing of the page, and no
# referrer.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def start_page_policy(page: bytes) -> dict[str, str]:
    """The policy of the start page: its own scripts may run, and set the base of addresses."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    allowed = [f"'sha256-{b64encode(hashlib.sha256(one).digest()).decode()}'" for one in scripts]
    name = "Content-Security-Policy"
    policy = HEADERS[name].replace("base-uri 'none'", "base-uri 'self'")
    return {name: "; script-src ".join([policy, " ".join(["'self'", *allowed])])}


class BodyLimit:
    """ASGI middleware: reads a body before the application, and refuses one that is too large.

    If the stated length is too large, the body is not read; chunks are counted on arrival.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        stated = request.headers.get("content-length", "0")
        try:
            body = None
            if stated.isdecimal() and int(stated) <= self.most:
                async with asyncio.timeout(MOST_SECONDS):
                    body = await self._read(receive)
        except TimeoutError:
            await _refuse(408, "the request did not arrive in time")(scope, receive, send)
            return
        if body is None:
            said = f"a request holds at most {self.most} bytes"
            await _refuse(413, said)(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, again, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; None if it is too large, or if the client has disconnected."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self.most or message["type"] == "http.disconnect":
                return None
            if not message.get("more_body", False):
                return body


class OneSlash:
    """ASGI middleware: //api/test is /api/test, as proxies may make it of /study/api/test."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http":
            scope = {**scope, "path": f"/{scope['path'].lstrip('/')}"}
        await self.app(scope, receive, send)


def _refuse(status: int, said: str) -> JSONResponse:
    """Respond without reading the rest of the request."""
    return JSONResponse({"detail": said}, status, headers={"Connection": "close"})


class SafeHeaders:
    """ASGI middleware: HEADERS, where a response has no other, and cache times.

    Browsers may cache stimuli for a day, because their names are unique. Other files are validated
    each time (304), and responses of endpoints are not cached.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                keep = _keep(scope["path"]) if message["status"] < 400 else "no-store"
                headers.setdefault("Cache-Control", keep)
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)


def _keep(path: str) -> str:
    if path.startswith("/stimuli/"):
        return "public, max-age=86400"
    return "no-store" if path.startswith(("/api/", "/admin")) else "no-cache"


class Attempts:
    """Wrong passwords in a row, by client: after ten, each doubles the wait, up to a minute.

    Requests during a wait are refused and do not extend it, so nobody is locked out for ever. Only
    the most recent clients are remembered; an IPv6 network (/64) is one client.
    """

    FREE, LONGEST, MOST_CLIENTS = 10, 60.0, 4096

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, end of the wait

    def wait(self, client: str) -> float:
        """Seconds before this client's next attempt."""
        _, until = self._wrong.get(_network(client), (0, 0.0))
        return max(0.0, until - self._clock())

    def wrong(self, client: str) -> None:
        """Count a wrong password."""
        client = _network(client)
        count = self._wrong.pop(client, (0, 0.0))[0] + 1
        over = min(count - self.FREE, 10)  # 2 ** 10 is above LONGEST
        wait = min(2.0**over, self.LONGEST) if over >= 0 else 0.0
        self._wrong[client] = count, self._clock() + wait
        if len(self._wrong) > self.MOST_CLIENTS:
            self._wrong.popitem(last=False)

    def right(self, client: str) -> None:
        """Forget the wrong passwords of a client."""
        self._wrong.pop(_network(client), None)


def _network(client: str) -> str:
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped  # the form of an IPv4 client on a socket for both
    return str(mapped or ipaddress.ip_network((address, 64), strict=False))


def basic_password(authorization: str) -> str | None:
    """The password of a Basic authorization (RFC 7617), or None."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return password if colon else None


def same(given: str, wanted: str) -> bool:
    """Compare two secrets in constant time, independent of contents and lengths."""
    one, other = (
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, wanted)
    )
    return secrets.compare_digest(one, other)
