"""`voiceconv vocoder ...`: what makes a vocoder. Imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, tune and import neural vocoders.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(context: typer.Context) -> None:
    """Train as Hydra is told: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.commands.vocoder_train import train_vocoder_command

    train_vocoder_command(context.args)


@app.command("finetuning-data")
def finetuning_data(
    dump: Annotated[Path, typer.Argument(help="Features of DATA, extracted with --waves.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets train/ and val/; new.")],
    model: Annotated[
        str | None, typer.Option(help="The converter to tune for: as convert takes it. [bundled]")
    ] = None,
) -> None:
    """Convert a corpus there and back: what a vocoder is tuned on for one converter."""
    from voiceconv.commands.vocoder_finetuning_data import write_finetuning_data
    from voiceconv.progress import progress_bar

    with progress_bar("finetuning data") as progress:
        counts = write_finetuning_data(dump, output, model, progress)
    for split, count in counts.items():
        print(f"{output / split}: {count} utterances")


@app.command("import")
def import_(
    config: Annotated[Path, typer.Argument(help="HiFi-GAN's config.json.")],
    checkpoint: Annotated[Path, typer.Argument(help="Its generator's checkpoint, g_...")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets the vocoder.")],
) -> None:
    """Make a vocoder of a published HiFi-GAN: weights and the mel that they were trained on."""
    from voiceconv.vocoders.hifigan_format import import_hifigan

    import_hifigan(config, checkpoint, output)
    print(f"{output}: voiceconv resynth IN --vocoder {output}")
