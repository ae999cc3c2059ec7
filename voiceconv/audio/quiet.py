"""Keep C libraries from writing to stderr.

libmpg123, which decodes MP3 inside libsndfile, reports every oddity of a stream by
`fprintf(stderr)`, and libsndfile has no switch for it. What matters is found and said by us.
Redirecting descriptor 2 would swallow what other threads and Python write meanwhile, so only the C
library's variable `stderr` is changed: Python never uses it. Where there is no such variable, the
messages appear.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_lock = threading.Lock()
_users = 0
_before: int | None = None


@cache
def _streams() -> tuple[ctypes.c_void_p, int | None] | None:
    """The C library's variable and a stream to nowhere; None if either cannot be had."""
    try:
        libc = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(libc, "stderr")
        libc.fopen.restype = ctypes.c_void_p
        nowhere = libc.fopen(b"/dev/null", b"w")
    except (OSError, TypeError, ValueError, AttributeError):
        return None
    return (variable, nowhere) if nowhere else None


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, what C code writes to `stderr` is dropped. Threads may overlap in it."""
    global _users, _before
    streams = _streams()
    if streams is None:
        yield
        return
    variable, nowhere = streams
    with _lock:
        if _users == 0:
            _before, variable.value = variable.value, nowhere
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                variable.value = _before
