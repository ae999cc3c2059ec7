"""Listen at a port and run an application there until a signal."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from voiceconv.errors import InputError
from voiceconv.web.patience import PatientHttp

LOOPBACK = ("127.0.0.1", "::1", "localhost")

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]


async def _nothing() -> None:
    """No start of its own."""


def run(
    app: ASGIApp,
    listening: socket.socket,
    start: Callable[[], Awaitable[None]] = _nothing,
    **options: Any,
) -> None:
    """Serve until a signal; uvicorn handles it, and raises it again after closing.

    start: comes first, in the same event loop. options: further ones of uvicorn's.
    """
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # a browser holds up to six connections; 1024 are few
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    proxies = os.environ.get("FORWARDED_ALLOW_IPS")  # uvicorn's own: trusted X-Forwarded-For
    common: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": proxies or [],
        "http": PatientHttp,
        "timeout_keep_alive": 60,  # longer than most trials
        "timeout_graceful_shutdown": 5,
    }
    server = uvicorn.Server(uvicorn.Config(app, **(common | options)))

    async def all_of_it() -> None:
        await start()
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            await server.serve(sockets=[listening])
        finally:
            signal.signal(signal.SIGTERM, before)

    with suppress(KeyboardInterrupt):
        asyncio.run(all_of_it())


def listening_at(host: str, port: int) -> socket.socket:
    """Open the port. Raises InputError where it is in use, or not this machine's."""
    if not host:
        raise InputError("--host is empty; leave it out for this machine alone")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or -1  # negative: an error of the host look-up
        said = os.strerror(number) if number > 0 else "no such host"
        raise InputError(
            f"cannot listen at port {port} of {host}: {said}; choose another --port or --host"
        ) from None
    # Connections inherit it; asyncio sets it only where a socket names its protocol, and this has
    # none. Without it two small messages in a row delay all that follow by a round trip.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(host: str, port: int) -> str:
    """The address for a browser on this computer."""
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
