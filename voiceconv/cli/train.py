"""Commands that train a converter: train, fit; imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.options import Jobs
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


def calibrate(
    data: Annotated[
        Path,
        typer.Argument(
            help="Recordings of the speakers that the model learned from: a Kaldi data directory, "
            "a folder of its splits, or a folder with a sub-folder per speaker."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Model directory, run directory or bundled model. [bundled]"),
    ] = None,
) -> None:
    """Let a model warn of inputs unlike its speech: another sound, noise, music, a whisper."""
    from voiceconv.commands.calibrate import calibrate
    from voiceconv.progress import progress_bar

    with logging_to_stderr(), progress_bar("listen") as progress:
        found = calibrate(model, data, progress)
    typer.echo(f"calibrated by {sum(found.values())} recordings of {len(found)} speakers")
