"""The command line. Each command imports what it needs: `voiceconv --help` must not start torch."""

import io
import logging
import os
import shlex
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from voiceconv import __version__
from voiceconv.cli import data, genre, listen, live, vocoder
from voiceconv.cli.convert import convert, export, info, inspect, models, push, render, resynth
from voiceconv.cli.corpus import augment, check, extract, prepare, stats
from voiceconv.cli.live import stream
from voiceconv.cli.scores import compare, evaluate, report
from voiceconv.cli.serve import serve
from voiceconv.cli.terminal import LOG_FORMAT, FewOfAKind, OneLine, escaped
from voiceconv.cli.train import adapt, calibrate, fit, train
from voiceconv.cli.unexpected import EXIT_CODE, report_unexpected
from voiceconv.errors import NO_ROOM, InputError, RunError
from voiceconv.signals import ending_signals, note_hang_up

NOT_LIGHT = {"librosa", "mido", "scipy", "sklearn", "tensorboard"}

app = typer.Typer(
    help="Convert audio of one domain (a speaker, an instrument) into another, unpaired.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"voiceconv {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """What `voiceconv` itself takes, before a command."""


for command in (
    convert,
    stream,
    resynth,
    render,
    export,
    push,
    models,
    info,
    inspect,
    prepare,
    check,
    augment,
    extract,
    stats,
):
    app.command()(command)
app.command(
    add_help_option=False,  # Hydra has its own
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(train)
for other in (fit, adapt, calibrate, evaluate, compare, report, serve):
    app.command()(other)
app.add_typer(data.app, name="data")
app.add_typer(vocoder.app, name="vocoder")
app.add_typer(live.app, name="distill")
app.add_typer(genre.app, name="genre")
app.add_typer(listen.app, name="listen")


def main() -> None:
    """Run; errors become one sentence and an exit code.

    2 for an InputError, 1 for a RunError or what a system refuses, 3 for what nobody expected.
    """
    _open_streams()
    _name_user()
    command = shlex.join(["voiceconv", *sys.argv[1:]])  # Hydra is given another
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(OneLine(LOG_FORMAT))
    plain.addFilter(FewOfAKind())
    logging.basicConfig(handlers=[plain])
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what a terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    before = {number: signal.signal(number, _terminate) for number in ending_signals()}
    try:
        _check_place()
        app(prog_name="voiceconv")
    except (InputError, RunError) as error:
        print(f"voiceconv: error: {escaped(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:  # a disk or a file system fails in a place that did not expect it
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        said += "; make room" if error.errno in NO_ROOM else ""
        print(f"voiceconv: error: {escaped(said)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        left_out = _left_out(error)
        if left_out is not None:
            print(f"voiceconv: error: {left_out}", file=sys.stderr)
            sys.exit(2)
        report_unexpected(error, command)
        sys.exit(EXIT_CODE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left_out(error: Exception) -> str | None:
    """The sentence for a package that only a whole installation has; None for another error."""
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in NOT_LIGHT:
        return None
    return (
        f"this needs {package}, which requirements-light.txt leaves out; install the whole: "
        "pip install voiceconv"
    )


def _open_streams() -> None:
    """Open the null device where standard input, output or error is closed.

    Else the first file that is opened gets its number, and in it what libraries print.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")


def _name_user() -> None:
    """Name a home and a user where there is neither, as in a container: libraries ask for both."""
    if os.path.expanduser("~") == "~":
        os.environ["HOME"] = "/nonexistent"
        os.environ.setdefault("USER", "nobody")


def _check_place() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the working directory was removed; cd into one that is there") from None


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: what is half written goes."""
    note_hang_up(number)
    sys.exit(128 + number)
