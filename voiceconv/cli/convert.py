"""Commands around a trained model: convert, resynth, export, models, info.

Commands import what they need when they are called: `voiceconv --help` must not start torch.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.options import AsJson, ConfigDir, Inputs, Model, Output, Rate, Skip
from voiceconv.cli.terminal import as_lines
from voiceconv.errors import InputError


def convert(
    inputs: Inputs,
    target: Annotated[str, typer.Option(help="Domain to convert to.")],
    source: Annotated[
        str | None, typer.Option(help="Domain of the input. [recognised, or an unseen speaker]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model directory, run directory or bundled model; or a baseline: baseline:copy, "
            "statistics, f0shift, gmm or knn. [bundled]"
        ),
    ] = None,
    dump: Annotated[
        Path | None, typer.Option(help="Extracted features for a baseline. [bundled model's]")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="torch, or onnx for an exported model. [the model's]"),
    ] = None,
    output: Output = None,
    sample_rate: Rate = None,
    skip_existing: Skip = False,
) -> None:
    """Convert recordings to the target's voice."""
    from voiceconv.commands.convert import convert

    convert(inputs, target, source, model, dump, engine, output, sample_rate, skip_existing)


def resynth(
    inputs: Inputs,
    features: Annotated[
        str | None,
        typer.Option(help="world, mel, experiment=NAME, or a neural vocoder. [the vocoder's]"),
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(
            help="griffin_lim, world, or a neural vocoder: directory, run or bundled name. "
            "[the vocoder of the features, else of the model]"
        ),
    ] = None,
    model: Model = None,
    domain: Annotated[
        str | None, typer.Option(help="Only this domain of a data directory. [all]")
    ] = None,
    output: Output = None,
    sample_rate: Rate = None,
    skip_existing: Skip = False,
) -> None:
    """Analyse and synthesise without conversion: hear what features and vocoder change."""
    from voiceconv.commands import batch
    from voiceconv.commands.choices import open_vocoder
    from voiceconv.converter import through_features

    jobs = batch.plan(inputs, output, "resynth", domain)
    copier = open_vocoder(features, vocoder, model)
    batch.run(
        jobs,
        lambda wave, _, report: through_features(copier, wave, progress=report),
        copier.extractor.sample_rate,
        sample_rate,
        skip_existing,
    )


def export(
    model: Annotated[str, typer.Argument(help="Model directory, run directory or bundled model.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder; new or empty.")],
) -> None:
    """Write a model's networks as ONNX graphs for onnxruntime, checked against torch."""
    from voiceconv.commands.export import export
    from voiceconv.progress import progress_bar

    with progress_bar("export") as progress:
        written = export(model, output, progress)
    for name, graph in written.items():
        print(f"{output / name}: within {graph['largest_difference']:.1e} of torch")


def models(as_json: AsJson = False) -> None:
    """List the bundled models and vocoders."""
    from voiceconv.commands.info import list_models

    cards = list_models()
    if as_json:
        print(json.dumps(cards, indent=2))
        return
    for card in cards:
        what = ", ".join(card.get("domains", ["a vocoder"]))
        print(f"{card['name']}: {what} ({card.get('licence')})")


def info(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL | experiment=NAME ...]",
            help="A model, or the overrides of a configuration. [bundled model]",
        ),
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's card, or the size and cost of an experiment's networks."""
    from voiceconv.commands.info import experiment_info, model_info

    words = what or []
    if any("=" in word and not Path(word).exists() for word in words):
        shown = experiment_info(words, config_dir)
    elif len(words) > 1:
        raise InputError(f"one model at a time, not {len(words)}: {', '.join(words)}")
    else:
        shown = model_info(words[0] if words else None)
    print(json.dumps(shown, indent=2) if as_json else as_lines(shown))
