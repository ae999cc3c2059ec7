"""`voiceconv genre ...`: how far a conversion of MIDI files goes. Imports as in cli/convert.py."""

import json
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.options import AsJson
from voiceconv.errors import InputError

app = typer.Typer(
    help="Train a classifier of two genres, and score conversions of MIDI files by it.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def train(
    dump: Annotated[str, typer.Argument(help="Piano rolls of two genres, by extract.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder.")],
    noise: Annotated[
        float, typer.Option(min=0.0, help="Most noise on its input in training.")
    ] = 0.3,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 32 phrases.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of weights, batches and noise.")] = 0,
) -> None:
    """Train a classifier of two genres on DUMP/train, and print its accuracy on DUMP/test."""
    from voiceconv.data.stores import local
    from voiceconv.genre import train_classifier
    from voiceconv.progress import progress_bar

    with progress_bar("classifier") as progress:
        classifier = train_classifier(local(dump), noise, steps, seed=seed, progress=progress)
    classifier.write(output)
    for sigma, accuracy in classifier.accuracy.items():
        print(f"noise {sigma:g}: {accuracy:.1f}% right")


@app.command()
def page(
    dump: Annotated[str, typer.Argument(help="Piano rolls of two genres, by extract.")],
    classifier: Annotated[Path, typer.Option(help="Output of genre train.")],
    model: Annotated[Path, typer.Option(help="Model or run directory.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file.")],
    n: Annotated[int, typer.Option(min=1, help="Phrases of each direction.")] = 6,
    split: Annotated[str, typer.Option(help="Split of DUMP.")] = "test",
    soundfont: Annotated[
        Path | None,
        typer.Option(envvar="SOUNDFONT", help="SoundFont. [the system's General MIDI one]"),
    ] = None,
) -> None:
    """Write a page of scores, piano rolls and, with FluidSynth at hand, players."""
    from voiceconv.commands.genre_page import write_genre_page
    from voiceconv.data.stores import local

    if not write_genre_page(local(dump), classifier, model, output, n, split, soundfont):
        print("no players: FluidSynth or a SoundFont is missing")
    print(f"page: {output}")


@app.command()
def score(
    dump: Annotated[str, typer.Argument(help="Piano rolls of two genres, by extract.")],
    classifier: Annotated[Path, typer.Option(help="Output of genre train.")],
    model: Annotated[
        list[Path] | None, typer.Option(help="Model or run directory; may be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of DUMP.")] = "test",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="JSON file, beside the table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert phrases there and back, by models and baselines; print strength and what is kept."""
    from voiceconv.data.stores import local
    from voiceconv.files import replace_text
    from voiceconv.genre import Classifier
    from voiceconv.genre import score as measure

    models = {path.resolve().name: path for path in model or []}
    if len(models) < len(model or []):
        raise InputError(f"two models have one name of {', '.join(models)}; rename a folder")
    rows = measure(local(dump), Classifier.read(classifier), models, split)
    described = json.dumps([{**row._asdict(), "strength": row.strength} for row in rows], indent=2)
    if output is not None:
        replace_text(output, described + "\n")
    if as_json:
        print(described)
        return
    heads = ("P of source, converted, cycled", "mean p", "strength", "note F", "chroma")
    print(f"| % | direction | {' | '.join(heads)} |")
    print(f"|{' --- |' * (len(heads) + 2)}")
    for row in rows:
        said = row.cells()
        figures = [
            one for name in ("rates", "probabilities", "strength", "kept") for one in said[name]
        ]
        print(f"| {row.system} | {row.source} to {row.target} | {' | '.join(figures)} |")
    print(
        "\nsource, conversion, target's own; of the last two overlaps with what was learnt, in %\n"
    )
    print(f"| | direction | {' | '.join(rows[0].texture)} |")
    print(f"|{' --- |' * (len(rows[0].texture) + 2)}")
    for row in rows:
        texture = " | ".join(row.cells()["texture"])
        print(f"| {row.system} | {row.source} to {row.target} | {texture} |")
