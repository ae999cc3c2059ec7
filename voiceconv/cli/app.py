"""The command line. Each command imports what it needs: `voiceconv --help` must not start torch."""

import logging
import signal
import sys
from types import FrameType

import typer

from voiceconv.cli import listen, vocoder
from voiceconv.cli.convert import convert, export, info, models, resynth
from voiceconv.cli.corpus import check, extract, prepare, stats
from voiceconv.cli.scores import compare, evaluate, report
from voiceconv.cli.terminal import printable
from voiceconv.cli.train import fit, train
from voiceconv.errors import InputError, RunError

app = typer.Typer(
    help="Convert audio of one domain (a speaker, an instrument) into another, unpaired.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (convert, resynth, export, models, info, prepare, check, extract, stats):
    app.command()(command)
app.command(
    add_help_option=False,  # Hydra has its own
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(train)
for other in (fit, evaluate, compare, report):
    app.command()(other)
app.add_typer(vocoder.app, name="vocoder")
app.add_typer(listen.app, name="listen")


def main() -> None:
    """Run; an InputError becomes one sentence and exit code 2, a RunError one and exit code 1."""
    logging.basicConfig(format="voiceconv: %(message)s", stream=sys.stderr)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        app(prog_name="voiceconv")
    except (InputError, RunError) as error:
        print(f"voiceconv: error: {printable(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:  # a disk or a file system fails in a place that did not expect it
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"voiceconv: error: {printable(said)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: what is half written goes."""
    sys.exit(128 + number)
