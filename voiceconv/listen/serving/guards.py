"""Protection of the experimenter's endpoints, and of addresses on the page."""

import hashlib
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from voiceconv.web.guards import HEADERS, network


def start_page_policy(page: bytes) -> dict[str, str]:
    """The policy of the start page: its own scripts may run, and set the base of addresses."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    allowed = [f"'sha256-{b64encode(hashlib.sha256(one).digest()).decode()}'" for one in scripts]
    name = "Content-Security-Policy"
    policy = HEADERS[name].replace("base-uri 'none'", "base-uri 'self'")
    return {name: "; script-src ".join([policy, " ".join(["'self'", *allowed])])}


class OneSlash:
    """ASGI middleware: //api/test is /api/test, as proxies may make it of /study/api/test."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http":
            scope = {**scope, "path": f"/{scope['path'].lstrip('/')}"}
        await self.app(scope, receive, send)


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
        _, until = self._wrong.get(network(client), (0, 0.0))
        return max(0.0, until - self._clock())

    def wrong(self, client: str) -> None:
        """Count a wrong password."""
        client = network(client)
        count = self._wrong.pop(client, (0, 0.0))[0] + 1
        over = min(count - self.FREE, 10)  # 2 ** 10 is above LONGEST
        wait = min(2.0**over, self.LONGEST) if over >= 0 else 0.0
        self._wrong[client] = count, self._clock() + wait
        if len(self._wrong) > self.MOST_CLIENTS:
            self._wrong.popitem(last=False)

    def right(self, client: str) -> None:
        """Forget the wrong passwords of a client."""
        self._wrong.pop(network(client), None)


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
