"""The kinds of expected error: each prints one sentence and has an exit code."""

import errno


class InputError(Exception):
    """An option, a file or a configuration that the user can correct: exit code 2."""


class RunError(Exception):
    """A run that started correctly and could not finish: exit code 1."""


class NoRoomError(RunError):
    """The disk is full: nothing else can be written either, so a run of many files ends."""


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: `ulimit -f`
