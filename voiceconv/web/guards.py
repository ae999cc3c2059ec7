"""Protection of every endpoint: sizes of bodies, response headers, foreign pages."""

import asyncio
import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
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


class BodyLimit:
    """ASGI middleware: reads a body before the application, and refuses one that is too large.

    If the stated length is too large, the body is not read; chunks are counted on arrival.

    except_at: paths whose endpoints read the body, and limit it, themselves.
    """

    def __init__(
        self, app: ASGIApp, most: int = MOST_BYTES, except_at: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.most = most
        self.except_at = except_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or scope["path"] in self.except_at:
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
            await refuse(408, "the request did not arrive in time")(scope, receive, send)
            return
        if body is None:
            said = f"a request holds at most {self.most} bytes"
            await refuse(413, said)(scope, receive, send)
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


def refuse(status: int, said: str) -> JSONResponse:
    """Respond without reading the rest of the request."""
    return JSONResponse({"detail": said}, status, headers={"Connection": "close"})


class SameOrigin:
    """ASGI middleware: no page of another site changes anything here, or opens a WebSocket.

    A browser names the page's site in `Origin`; programs send none. It must be the site of `Host`.
    A page could give its own name our address (DNS rebinding), so a server of this machine alone
    admits only the names of this machine.

    hosts: the names that `Host` may have, without the port; None: any.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None = None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket") or (said := self._said(scope)) is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accepting: 403
        else:
            await refuse(403, said)(scope, receive, send)

    def _said(self, scope: Scope) -> str | None:
        """Why to refuse the request; None: there is no reason."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if self.hosts is not None and _name_of(host) not in self.hosts:
            return "this server does not go by that name; start it with --public-name NAME"
        origin = headers.get("origin")
        harmless = scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS")
        if harmless or origin is None or origin.lower().partition("://")[2] == host:
            return None
        return "a page of another site must not use this server"


def _name_of(host: str) -> str:
    """`Host` without the port: 127.0.0.1, localhost, ::1."""
    return re.sub(r":\d*$", "", host).removeprefix("[").removesuffix("]")


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
    return "no-store" if path.startswith(("/api/", "/admin", "/metrics")) else "no-cache"


def network(client: str) -> str:
    """The client that an address counts for: an IPv4 address, or an IPv6 network (/64)."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped  # the form of an IPv4 client on a socket for both
    return str(mapped or ipaddress.ip_network((address, 64), strict=False))
