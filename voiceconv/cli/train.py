"""Commands that train a converter: train, fit; imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.options import Jobs
from voiceconv.cli.terminal import show_summary


def train(context: typer.Context) -> None:
    """Train as Hydra is told: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.commands.train import train_command

    train_command(context.args)


def fit(
    speakers: Annotated[Path, typer.Argument(help="A folder of recordings for each speaker.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets the model.")],
    hours: Annotated[float, typer.Option(min=0.001, help="How long to train.")] = 2.0,
    experiment: Annotated[str, typer.Option(help="What to train.")] = "cyclegan_vc2_small",
    jobs: Jobs = None,
) -> None:
    """Train on folders of recordings in one command; called again, it goes on where it stopped."""
    from voiceconv.commands.fit import fit

    fit(speakers, output, hours, experiment, jobs, typer.echo, show_summary)
    typer.echo(f"done: voiceconv convert IN --target NAME --model {output}")
