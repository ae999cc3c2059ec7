"""The command line. Each command imports what it needs: `voiceconv --help` must not start torch."""

import json
import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from voiceconv import cli_listen, cli_vocoder
from voiceconv.cli_options import AsJson, ConfigDir, Inputs, Jobs, Model, Output, Rate, Skip
from voiceconv.cli_scores import compare, evaluate, report
from voiceconv.errors import InputError, RunError
from voiceconv.terminal import as_lines, printable, show_summary

app = typer.Typer(
    help="Turn audio of one domain (a speaker, an instrument) into another's, unpaired.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_vocoder.app, name="vocoder")
app.add_typer(cli_listen.app, name="listen")


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


@app.command()
def convert(
    inputs: Inputs,
    target: Annotated[str, typer.Option(help="Domain to convert to.")],
    source: Annotated[
        str | None, typer.Option(help="Domain of the input. [recognised, or a stranger]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model directory, run directory, bundled model, or what these have to beat: "
            "baseline:identity, statistics, f0shift, gmm or knn. [bundled]"
        ),
    ] = None,
    dump: Annotated[
        Path | None, typer.Option(help="Features that a baseline is made of. [bundled model's]")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="torch, or onnx for what `voiceconv export` made. [the model's]"),
    ] = None,
    output: Output = None,
    sample_rate: Rate = None,
    skip_existing: Skip = False,
) -> None:
    """Convert recordings to the target's voice."""
    from voiceconv import batch
    from voiceconv.baselines import identify, open_converter
    from voiceconv.provenance import write_conversion

    without = target if source is None else None  # a data directory may hold the target, too
    jobs = batch.plan(inputs, output, target, source, without)
    converter = open_converter(model, dump, engine)
    converter.check_domains(target, source)
    try:
        batch.run(
            jobs,
            lambda wave, domain, report: converter.convert(
                wave, target, source or _known(domain, converter.domains), progress=report
            ),
            converter.sample_rate,
            sample_rate,
            skip_existing,
        )
    finally:  # what is there says what made it, even where it isn't all
        if len(jobs) > 1 and output is not None and Path(output).is_dir():
            write_conversion(Path(output), {**identify(model), "source": source, "target": target})


@app.command()
def resynth(
    inputs: Inputs,
    features: Annotated[
        str | None,
        typer.Option(help="world, mel, experiment=NAME, or a neural vocoder's. [the vocoder's]"),
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(
            help="griffin_lim, world, or a neural one: its directory, its run, a bundled one. "
            "[that of the features, else of the model]"
        ),
    ] = None,
    model: Model = None,
    domain: Annotated[
        str | None, typer.Option(help="Only this one of a data directory. [all]")
    ] = None,
    output: Output = None,
    sample_rate: Rate = None,
    skip_existing: Skip = False,
) -> None:
    """Analyse and synthesise, without conversion: what features and vocoder alone do to a sound."""
    from voiceconv import batch
    from voiceconv.choices import open_vocoder
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


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Model directory, run directory, bundled model.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets the export; new or empty.")],
) -> None:
    """Write a model's networks as ONNX graphs, checked against torch, for onnxruntime."""
    from voiceconv.data.extract import progress_bar
    from voiceconv.export import export

    with progress_bar("export") as progress:
        written = export(model, output, progress)
    for name, graph in written.items():
        print(f"{output / name}: within {graph['largest_difference']:.1e} of torch")


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the bundled models and vocoders."""
    from voiceconv.info import list_models

    cards = list_models()
    if as_json:
        print(json.dumps(cards, indent=2))
        return
    for card in cards:
        what = ", ".join(card.get("domains", ["a vocoder"]))
        print(f"{card['name']}: {what} ({card.get('licence')})")


@app.command()
def info(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL | experiment=NAME ...]",
            help="A model, or overrides of a configuration not yet trained. [bundled model]",
        ),
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's card, or the size and cost of an experiment's networks."""
    from voiceconv.info import experiment_info, model_info

    words = what or []
    if any("=" in word and not Path(word).exists() for word in words):
        shown = experiment_info(words, config_dir)
    elif len(words) > 1:
        raise InputError(f"one model at a time, not {len(words)}: {', '.join(words)}")
    else:
        shown = model_info(words[0] if words else None)
    print(json.dumps(shown, indent=2) if as_json else as_lines(shown))


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="A folder per domain, or a Kaldi directory.")],
    data: Annotated[Path, typer.Argument(help="Gets train/, val/ and test/.")],
    domain: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
    lists: Annotated[
        Path | None, typer.Option(help="Folder of DOMAIN.train, .val, .test: names, one a line.")
    ] = None,
    n_val: Annotated[int | None, typer.Option(min=0, help="Held out to choose by.")] = None,
    n_test: Annotated[int | None, typer.Option(min=0, help="Held out to score by.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the splits where there are no lists.")] = 0,
    keep_shared: Annotated[
        bool, typer.Option("--keep-shared", help="Let domains train on the same sentences.")
    ] = False,
) -> None:
    """Make Kaldi data directories with unpaired splits from recordings."""
    from voiceconv.data.prepare import prepare

    show_summary(prepare(source, data, domain, lists, n_val, n_test, seed, keep_shared))


@app.command()
def check(
    data: Annotated[
        Path, typer.Argument(help="A data directory, a folder of splits, or a folder per speaker.")
    ],
    fix: Annotated[
        Path | None,
        typer.Option(help="Gets a mended copy and mended.json, what was done; new or empty."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(help="What the data are for: its crops and rate are asked of them."),
    ] = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Examine a corpus: noise, level, clipping, pitch, copies, leaks, wrong speakers ...

    Exit code 0: nothing found; 1: findings, an unreadable recording among them; 2: DATA can't be
    read as a corpus, or an option is wrong.
    """
    from voiceconv.check.command import check

    if check(data, fix, experiment, jobs, as_json):
        raise typer.Exit(1)


@app.command()
def extract(
    data: Annotated[Path, typer.Argument(help="A data directory, or a folder of splits.")],
    dump: Annotated[Path, typer.Argument(help="Gets the archives.")],
    features: Annotated[
        str, typer.Option(help="world, mel, experiment=NAME, or a neural vocoder's.")
    ] = "experiment=cyclegan_vc2_small",
    config_dir: ConfigDir = None,
    jobs: Jobs = None,
    trim: Annotated[
        float, typer.Option(help="Cut silence this many dB below the loudest at both ends; 0: no.")
    ] = 40.0,
    loudness: Annotated[
        float, typer.Option(help="LUFS to bring each utterance to; 0: leave it.")
    ] = -23.0,
    waves: Annotated[
        bool, typer.Option("--waves", help="Keep the waves, too: a vocoder learns from them.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
) -> None:
    """Extract features of a corpus; killed at any moment, it goes on where it stopped."""
    from voiceconv.choices import features_node
    from voiceconv.data.extract import extract, progress_bar

    node = features_node(features, config_dir)
    with progress_bar() as progress:
        results = extract(
            data,
            dump,
            node,
            jobs,
            trim=trim or None,
            loudness=loudness or None,
            waves=waves,
            strict=strict,
            progress=progress,
        )
    for result in results:
        print(f"{result.folder}: {result.n_utterances} utterances")


@app.command()
def stats(dump: Annotated[Path, typer.Argument(help="An extracted split: DUMP/train.")]) -> None:
    """Take each domain's statistics over an extracted split."""
    from voiceconv.data.statistics import write_stats

    for domain, one in write_stats(dump).items():
        f0 = f"mean F0 {one.log_f0[0].exp():.0f} Hz" if one.log_f0[0] > 0 else "no F0"
        print(f"{domain}: {len(one.frames_mean)} channels, {f0}")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(context: typer.Context) -> None:
    """Train as Hydra is told: experiment=NAME data.dump=DUMP [KEY=VALUE ...]."""
    from voiceconv.train import train_command

    train_command(context.args)


@app.command()
def fit(
    speakers: Annotated[Path, typer.Argument(help="A folder of recordings for each speaker.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets the model.")],
    hours: Annotated[float, typer.Option(min=0.001, help="How long to train.")] = 2.0,
    experiment: Annotated[str, typer.Option(help="What to train.")] = "cyclegan_vc2_small",
    jobs: Jobs = None,
) -> None:
    """Train on folders of recordings in one command; called again, it goes on where it stopped."""
    from voiceconv.fit import fit

    fit(speakers, output, hours, experiment, jobs, typer.echo, show_summary)
    typer.echo(f"done: voiceconv convert IN --target NAME --model {output}")


for command in (evaluate, compare, report):
    app.command()(command)


def _known(domain: str | None, domains: list[str]) -> str | None:
    """A data directory's domain, where the model knows it."""
    return domain if domain in domains else None


if __name__ == "__main__":
    main()
