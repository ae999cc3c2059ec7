"""Commands around a trained model: convert, resynth, export, push, models, info.

Commands import what they need when they are called: `voiceconv --help` must not start torch.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_domain, complete_model, complete_model_or_baseline
from voiceconv.cli.options import (
    AsJson,
    ConfigDir,
    Device,
    ExecutorKind,
    Inputs,
    Model,
    Output,
    Rate,
    Scheduler,
    Skip,
    Wait,
    Workers,
)
from voiceconv.cli.terminal import as_lines, escaped, logging_to_stderr
from voiceconv.errors import InputError


def convert(
    inputs: Inputs,
    target: Annotated[
        str | None, typer.Option(help="Domain to convert to.", autocompletion=complete_domain)
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN:SHARE,...",
            help="A voice between several domains instead of a target, such as "
            "nathalie:0.7,kathleen:0.3; for models of one network.",
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STYLE",
            help="A style for the target: sample, sample:SEED, or a recording, whose voice may be "
            "new to the model; for models that take it. May be repeated, for an output of each.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Domain of the input. [recognised, or an unseen speaker]",
            autocompletion=complete_domain,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model directory, run directory, bundled model, or ORG/NAME[@REVISION] on the "
            "hub; or a baseline: baseline:copy, statistics, f0shift, gmm or knn. [bundled]",
            autocompletion=complete_model_or_baseline,
        ),
    ] = None,
    dump: Annotated[
        str | None,
        typer.Option(metavar="DUMP", help="Extracted features for a baseline. [bundled model's]"),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="torch, or onnx for an exported model. [the model's]"),
    ] = None,
    output: Output = None,
    sample_rate: Rate = None,
    full_band: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A model of narrow to full: it adds what lies above the band of the other model.",
        ),
    ] = None,
    skip_existing: Skip = False,
    device: Device = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Recordings at once, each in a process of one thread. [1]"),
    ] = None,
    executor: ExecutorKind = "local",
    scheduler: Scheduler = None,
    wait: Wait = None,
    semitones: Annotated[
        float, typer.Option(help="Shift of F0, added to the shift to the target; may be negative.")
    ] = 0.0,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="How far to go to the target's voice: 0 keeps more of the words, 1 is all the "
            "way; for models that take it. [1]",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Further input of the model, such as a style: numbers with commas, or the file of "
            "a reference. May be repeated.",
        ),
    ] = None,
    watermark: Annotated[
        bool,
        typer.Option(
            "--watermark", help="Mark the sound itself, for `inspect` to find; extra watermark."
        ),
    ] = False,
    sidecar: Annotated[
        bool,
        typer.Option("--sidecar", help="Write OUT.json beside each output: what made it."),
    ] = False,
    c2pa_cert: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM",
            help="Sign a C2PA manifest in each output by this chain of certificates; extra c2pa.",
        ),
    ] = None,
    c2pa_key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Private key of the first certificate.")
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Print statistics and shift of F0 for each file."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print a line of JSON for each file that is written: source, F0, likeness.",
        ),
    ] = False,
) -> None:
    """Convert recordings to the target's voice."""
    from voiceconv.commands.convert import Choice, consent, convert_in_styles
    from voiceconv.executors import open_executor
    from voiceconv.hub import pinned
    from voiceconv.provenance.stamp import Marks

    model = pinned(model)  # what is said of it, and each style, is of one commit
    choice = Choice.of(
        target,
        mix,
        source=source,
        model=model,
        dump=dump,
        engine=engine,
        device=device,
        semitones=semitones,
        strength=strength,
        condition=tuple(condition or ()),
        full_band=full_band,
        as_json=as_json,
    )
    if (said := consent(model)) is not None:
        print(f"voiceconv: consent: {escaped(said)}", file=sys.stderr)
    places = [*inputs, output, model, dump, full_band, c2pa_cert, c2pa_key]
    with (
        logging_to_stderr(verbose),
        open_executor(executor, scheduler, jobs, wait, places) as run,
    ):
        convert_in_styles(
            inputs,
            choice,
            style or [],
            output,
            sample_rate=sample_rate,
            skip_existing=skip_existing,
            n_workers=jobs or 1,
            marks=Marks(watermark, sidecar, c2pa_cert, c2pa_key),
            executor=run,
        )


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
    device: Device = "auto",
    jobs: Workers = 1,
) -> None:
    """Analyse and synthesise without conversion: hear what features and vocoder change."""
    from voiceconv.commands.resynth import resynth

    with logging_to_stderr():
        resynth(
            inputs,
            features,
            vocoder,
            model,
            domain,
            output,
            sample_rate,
            skip_existing,
            device,
            jobs,
        )


def render(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN...", help="MIDI files, folders or patterns.")
    ],
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="File or folder. [IN-rendered.wav]")
    ] = None,
    soundfont: Annotated[
        Path | None,
        typer.Option(envvar="SOUNDFONT", help="SoundFont. [the system's General MIDI one]"),
    ] = None,
    program: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=127,
            help="General MIDI program that plays every note, drums left out, from 0: 40 is a "
            "violin, 73 a flute. [the file's, and drums]",
        ),
    ] = None,
    melody: Annotated[
        bool, typer.Option("--melody", help="Only the part that is highest on average; no drums.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=7200, help="Most that is played of a song, from its first note. [all]"
        ),
    ] = None,
    sample_rate: Annotated[int, typer.Option(min=8000, max=96000, help="In Hz.")] = 24_000,
    skip_existing: Skip = False,
    jobs: Workers = 1,
) -> None:
    """Play MIDI files to WAV by FluidSynth and a SoundFont."""
    from voiceconv.commands.render import render

    with logging_to_stderr():
        render(
            inputs, output, soundfont, program, melody, seconds, sample_rate, skip_existing, jobs
        )


def export(
    model: Annotated[str, typer.Argument(help="Model directory, run directory or bundled model.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder; new or empty.")],
    streaming: Annotated[
        bool,
        typer.Option("--streaming", help="Graphs of one frame with its states; else an error."),
    ] = False,
) -> None:
    """Write a model's networks as ONNX graphs for onnxruntime, checked against torch."""
    from voiceconv.commands.export import export
    from voiceconv.progress import progress_bar

    with progress_bar("export") as progress:
        written = export(model, output, progress, streaming)
    for name, graph in written.items():
        print(f"{output / name}: within {graph['largest_difference']:.1e} of torch")


def push(
    model: Annotated[
        str,
        typer.Argument(
            help="Model directory, run directory or bundled model.", autocompletion=complete_model
        ),
    ],
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Where on the hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Only for you, if the repository is new.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Branch, made if need be. [main]")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Don't ask.")] = False,
) -> None:
    """Push a model to the Hugging Face hub: safetensors, card and the hashes of both."""
    from voiceconv.commands.push import packed
    from voiceconv.hub import upload

    with packed(model, repository, revision) as parcel:
        for name, size in parcel.sizes.items():
            print(f"{name}: {size / 1e6:.2f} MB")
        print(f"licence: {parcel.licence or 'not stated'}")
        if not yes:
            typer.confirm(f"Push to {repository}?", abort=True)
        print(upload(parcel.folder, repository, private=private or None, branch=revision))


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
    domains: Annotated[int, typer.Option(min=2, help="Domains of an experiment's networks.")] = 2,
    environment: Annotated[
        bool, typer.Option("--environment", help="Versions and devices, for a bug report.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a model's card, the size and cost of an experiment's networks, or the environment."""
    from voiceconv.commands import environment as machine
    from voiceconv.commands.info import experiment_info, model_info

    words = what or []
    if environment and words:
        raise InputError(
            f"--environment is about this machine, not about {' '.join(words)}; name one of the two"
        )
    if environment:
        shown = machine.environment()
    elif any("=" in word and not Path(word).exists() for word in words):
        shown = experiment_info(words, config_dir, domains)
    elif len(words) > 1:
        raise InputError(f"one model at a time, not {len(words)}: {', '.join(words)}")
    else:
        shown = model_info(words[0] if words else None)
    print(json.dumps(shown, indent=2) if as_json else as_lines(shown))


def inspect(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files of sound or MIDI.")],
    as_json: AsJson = False,
) -> None:
    """Say what made a file: its metadata, sidecar, C2PA manifest and watermark."""
    from voiceconv.commands.inspect import inspect

    with logging_to_stderr():
        found = [inspect(one) for one in files]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print("\n\n".join(as_lines(one) for one in found))
