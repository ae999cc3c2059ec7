"""The signals that end a command, and the terminal that a hang-up takes away."""

import os
import signal


def ending_signals() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP (a connection was lost), unless nohup has it ignored."""
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, hang_up]


def note_hang_up(number: int) -> None:
    """After SIGHUP, ignore the next ones, because shell and kernel send one each."""
    if number == getattr(signal, "SIGHUP", None):
        signal.signal(number, signal.SIG_IGN)
        drop_lost_output()


def drop_lost_output() -> None:
    """Where the terminal of stdout or stderr is gone, write to nowhere instead of failing."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
