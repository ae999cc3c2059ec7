"""`voiceconv vocoder ...`: commands that make vocoders. Imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, fine-tune and import neural vocoders.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(context: typer.Context) -> None:
    """Train a vocoder, with Hydra overrides: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.commands.vocoder_train import train_vocoder_command

    train_vocoder_command(context.args)


@app.command("finetuning-data")
def finetuning_data(
    dump: Annotated[str, typer.Argument(help="Features, extracted with --waves.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Output folder for train/ and val/; new.")
    ],
    model: Annotated[str | None, typer.Option(help="Converter to fine-tune for. [bundled]")] = None,
) -> None:
    """Make data to fine-tune a vocoder for one converter: a corpus converted there and back."""
    from voiceconv.commands.vocoder_finetuning_data import write_finetuning_data
    from voiceconv.data.stores import local
    from voiceconv.progress import progress_bar

    with progress_bar("finetuning data") as progress:
        counts = write_finetuning_data(local(dump), output, model, progress)
    for split, count in counts.items():
        print(f"{output / split}: {count} utterances")


@app.command("import")
def import_(
    config: Annotated[Path, typer.Argument(help="config.json of HiFi-GAN.")],
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of its generator, g_...")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder.")],
) -> None:
    """Import a published HiFi-GAN: its weights and its mel definition."""
    from voiceconv.vocoders.hifigan_format import import_hifigan

    import_hifigan(config, checkpoint, output)
    print(f"{output}: voiceconv resynth IN --vocoder {output}")
