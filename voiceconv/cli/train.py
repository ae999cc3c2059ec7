"""Commands that train a converter: train, fit, adapt; imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_model
from voiceconv.cli.options import Device, Jobs
from voiceconv.cli.terminal import logging_to_stderr, show_summary


def train(context: typer.Context) -> None:
    """Train a converter, with Hydra overrides: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.commands.train import train_command

    train_command(context.args)


def fit(
    speakers: Annotated[
        Path, typer.Argument(help="Folder with a sub-folder of recordings per speaker.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder.")],
    hours: Annotated[float, typer.Option(min=0.001, help="Training time in hours.")] = 2.0,
    experiment: Annotated[
        str | None,
        typer.Option(
            help="Experiment to train. [that of the run in OUTPUT, or any_to_many]",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Train on folders of recordings, one or more: anybody's voice into each of theirs.

    The same command continues an interrupted run.
    """
    from voiceconv.commands.fit import fit

    fit(speakers, output, hours, experiment, jobs, typer.echo, show_summary)
    typer.echo(f"done: voiceconv convert IN --target NAME --model {output}")


def adapt(
    model: Annotated[
        str,
        typer.Argument(
            help="Model directory, run directory or bundled model of any_to_many.",
            autocompletion=complete_model,
        ),
    ],
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIPS...",
            help="Recordings of the new voice, 1 to 3 minutes: sound files, folders, patterns.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Output model directory; new or empty.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the new voice. [the folder's]", show_default=False)
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Wall time in minutes.")] = 5.0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Length of the training. [what fits into MINUTES]"),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the new model, for its card. [not stated]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    device: Device = "auto",
) -> None:
    """Add a target to a trained any-to-many model, from minutes of its voice.

    The other targets stay as they are, to the bit. An interrupted call writes nothing.
    """
    from voiceconv.commands.adapt import adapt

    with logging_to_stderr():
        made = adapt(model, clips, output, name, minutes, steps, licence, seed, device, typer.echo)
    typer.echo(f"done: voiceconv convert IN --target {made.domain} --model {output}")


def calibrate(
    data: Annotated[
        Path,
        typer.Argument(
            help="Recordings of the speakers that the model learned from: a Kaldi data directory, "
            "a folder of its splits, or a folder with a sub-folder per speaker."
        ),
    ],
    model: Annotated[str, typer.Option(help="Model directory or run directory.")],
) -> None:
    """Let a model warn of inputs unlike its speech: another sound, noise, music, a whisper."""
    from voiceconv.commands.calibrate import calibrate
    from voiceconv.progress import progress_bar

    with logging_to_stderr(), progress_bar("listen") as progress:
        found = calibrate(model, data, progress)
    typer.echo(f"calibrated by {sum(found.values())} recordings of {len(found)} speakers")
