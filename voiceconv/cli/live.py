"""Live conversion: `stream`, and `distill ...`, which trains what streams.

Imports as in cli/convert.py.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_domain, complete_model
from voiceconv.errors import InputError

app = typer.Typer(
    help="Train a streaming model: a student of an offline one.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Samples(StrEnum):
    """What `stream` reads and writes on pipes."""

    s16 = "s16"
    f32 = "f32"
    wav = "wav"


def stream(
    target: Annotated[
        str | None, typer.Option(help="Domain to convert to.", autocompletion=complete_domain)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model directory, run directory or bundled model that streams. [bundled]",
            autocompletion=complete_model,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="From a microphone to a loudspeaker; Ctrl-C ends it.")
    ] = False,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List microphones and loudspeakers.")
    ] = False,
    microphone: Annotated[
        str | None, typer.Option(help="Number or name of --list-devices. [the system's]")
    ] = None,
    loudspeaker: Annotated[
        str | None, typer.Option(help="Number or name of --list-devices. [the system's]")
    ] = None,
    form: Annotated[
        Samples,
        typer.Option("--format", help="Of stdin and stdout: WAV, or raw little-endian samples."),
    ] = Samples.wav,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Sample rate of raw input, or of the microphone, in Hz."),
    ] = None,
    channels: Annotated[int, typer.Option(min=1, max=64, help="Of raw input; averaged.")] = 1,
    look_ahead: Annotated[
        float | None,
        typer.Option(help="Milliseconds that the network waits for more. [the model's]"),
    ] = None,
    semitones: Annotated[float, typer.Option(help="Move F0 by so much on top.")] = 0.0,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="End --live after so long. [Ctrl-C]")
    ] = None,
) -> None:
    """Convert a voice as it comes in: stdin to stdout, or a microphone to a loudspeaker."""
    from voiceconv.commands import stream as command

    if list_devices:
        print(command.list_devices())
        return
    if target is None:
        raise InputError("give a target: --target DOMAIN")

    of_devices = {"microphone": microphone, "loudspeaker": loudspeaker, "seconds": seconds}
    if not live and (given := [name for name, one in of_devices.items() if one is not None]):
        raise InputError(f"--{given[0]} is for sound devices; add --live, or leave it out")
    if not live and form is Samples.wav and (rate is not None or channels != 1):
        raise InputError("a WAV says its rate and channels itself; leave --rate and --channels out")

    def open_at(its_rate: int | None) -> command.Stream:
        opened = command.open_stream(model, target, its_rate, look_ahead, semitones)
        print(f"voiceconv: {command.described(opened)}", file=sys.stderr)
        return opened

    if live:
        meter = command.stream_devices(
            open_at(rate), _device(microphone), _device(loudspeaker), seconds
        )
    else:
        source, sink = command.binary_pipes()
        meter = command.stream_pipe(source, sink, form.value, open_at, rate, channels)
    print(f"voiceconv: {command.summary(meter)}", file=sys.stderr)


def _device(named: str | None) -> str | int | None:
    return int(named) if named is not None and named.isdecimal() else named


@app.command()
def pairs(
    dump: Annotated[
        str, typer.Argument(help="The teacher's features of any voices, extracted with --waves.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Output folder for train/ and val/; new.")
    ],
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Offline model with WORLD features. [bundled]", autocompletion=complete_model
        ),
    ] = None,
    targets: Annotated[
        int, typer.Option(min=1, help="Targets that each recording of train is converted to.")
    ] = 1,
    frame_period: Annotated[
        float, typer.Option(help="Milliseconds of the student's frames.")
    ] = 10.0,
) -> None:
    """Convert a corpus by the teacher: what the student is to say of what it hears."""
    from voiceconv.commands.distill_pairs import write_pairs
    from voiceconv.data.stores import local
    from voiceconv.progress import progress_bar

    with progress_bar("pairs") as progress:
        counts = write_pairs(local(dump), output, teacher, frame_period, targets, progress)
    for split, count in counts.items():
        print(f"{output / split}: {count} utterances")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(context: typer.Context) -> None:
    """Train a student, with Hydra overrides: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.commands.distill_train import train_student_command

    train_student_command(context.args)
