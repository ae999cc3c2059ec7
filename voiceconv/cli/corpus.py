"""Commands about a corpus: prepare, check, augment, extract, stats; imports as in convert.py."""

from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_model_or_baseline
from voiceconv.cli.options import (
    AsJson,
    ConfigDir,
    Device,
    ExecutorKind,
    Jobs,
    Scheduler,
    Wait,
    Workers,
)
from voiceconv.cli.terminal import logging_to_stderr, show_summary
from voiceconv.errors import InputError


def prepare(
    source: Annotated[
        Path, typer.Argument(help="Folder with a sub-folder per domain, or a Kaldi directory.")
    ],
    data: Annotated[Path, typer.Argument(help="Output folder for train/, val/ and test/.")],
    domain: Annotated[
        list[str] | None, typer.Option(help="Only this domain; may be repeated.")
    ] = None,
    lists: Annotated[
        Path | None,
        typer.Option(help="Folder of DOMAIN.train, .val, .test: file names, one per line."),
    ] = None,
    n_val: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Utterances per domain held out for model selection. [a twentieth, at most 20]",
        ),
    ] = None,
    n_test: Annotated[
        int | None,
        typer.Option(
            min=0, help="Utterances per domain held out for testing. [a tenth, at most 40]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits, if there are no lists.")] = 0,
    keep_shared: Annotated[
        bool,
        typer.Option("--keep-shared", help="Keep sentences in train that several domains say."),
    ] = False,
    features: Annotated[
        str | None,
        typer.Option(help="What the files are for, as `extract` takes it. [sound files]"),
    ] = None,
    config_dir: ConfigDir = None,
) -> None:
    """Make Kaldi data directories with unpaired splits from recordings."""
    from voiceconv.commands.choices import open_features
    from voiceconv.data.prepare import prepare

    opened = None if features is None else open_features(features, config_dir)
    show_summary(prepare(source, data, domain, lists, n_val, n_test, seed, keep_shared, opened))


def check(
    data: Annotated[
        Path, typer.Argument(help="Data directory, folder of splits, or folder of speakers.")
    ],
    fix: Annotated[
        Path | None,
        typer.Option(help="Output folder for a mended copy and mended.json; new or empty."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(help="Experiment to check against: its crop length and sample rate."),
    ] = None,
    jobs: Jobs = None,
    executor: ExecutorKind = "local",
    scheduler: Scheduler = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Examine a corpus: noise, level, clipping, pitch, copies, leaks, wrong speakers ...

    Exit code 0: no findings; 1: findings, for example an unreadable recording; 2: DATA is no
    readable corpus, or an option is wrong.
    """
    from voiceconv.commands.check import check
    from voiceconv.executors import open_executor

    places = [data, fix and fix.absolute().parent]
    with logging_to_stderr(), open_executor(executor, scheduler, jobs, wait, places) as run:
        found = check(data, fix, experiment, jobs, as_json, run)
    if found:
        raise typer.Exit(1)


def augment(
    data: Annotated[Path, typer.Argument(help="Data directory.")],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Output data directory; new, or of the same call."),
    ],
    targets: Annotated[
        str, typer.Option(metavar="A,B", help="Domains to convert to, with commas between them.")
    ],
    source_domains: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Domains of DATA whose utterances get copies. [all]"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model directory, run directory or bundled model; or baseline:statistics. "
            "[bundled]",
            autocompletion=complete_model_or_baseline,
        ),
    ] = None,
    device: Device = "auto",
    jobs: Workers = 1,
    strength: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="How far to go to the target's voice. [1]"),
    ] = None,
) -> None:
    """Add converted copies to a corpus, as further voices of its sentences.

    OUT has every utterance, where it is, and OUT/wav/TARGET/UTTERANCE.wav. A copy is of the speaker
    as-TARGET-SPEAKER. After an interruption it continues where it stopped.
    """
    from voiceconv.commands.augment import augment

    named = [target for target in targets.split(",") if target]
    sources = None if source_domains is None else source_domains.split(",")
    with logging_to_stderr():
        made = augment(data, output, named, model, device, strength, jobs, sources)
    print(f"{output}: {made.n_originals} utterances, {made.n_copies} converted copies")


def extract(
    data: Annotated[Path, typer.Argument(help="Data directory, or folder of splits.")],
    dump: Annotated[str, typer.Argument(help="Output folder for the archives.")],
    features: Annotated[
        str, typer.Option(help="world, mel, experiment=NAME, or a neural vocoder.")
    ] = "experiment=cyclegan_vc2_small",
    config_dir: ConfigDir = None,
    jobs: Jobs = None,
    trim: Annotated[
        float, typer.Option(help="Cut silence at both ends, dB below the loudest part; 0: do not.")
    ] = 40.0,
    loudness: Annotated[
        float, typer.Option(help="Loudness of each utterance in LUFS; 0: do not change it.")
    ] = -23.0,
    waves: Annotated[
        bool, typer.Option("--waves", help="Store waves too, to train a vocoder.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
    executor: ExecutorKind = "local",
    scheduler: Scheduler = None,
    wait: Wait = None,
) -> None:
    """Extract features of a corpus. After an interruption it continues where it stopped."""
    from voiceconv.commands.choices import features_node
    from voiceconv.data.extract import extract
    from voiceconv.data.stores import is_url
    from voiceconv.executors import open_executor
    from voiceconv.progress import progress_bar

    if is_url(dump):
        raise InputError(f"{dump}: stores are only read; extract to a folder, and copy that")
    node = features_node(features, config_dir)
    with (
        logging_to_stderr(),
        open_executor(executor, scheduler, jobs, wait, [data, dump]) as run,
        progress_bar("extract") as progress,
    ):
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
            executor=run,
        )
    for result in results:
        print(f"{result.folder}: {result.n_utterances} utterances")


def stats(dump: Annotated[str, typer.Argument(help="Extracted split: DUMP/train.")]) -> None:
    """Compute the statistics of each domain in an extracted split."""
    from voiceconv.data.statistics import STATS, write_stats
    from voiceconv.data.stores import is_url, local

    split = local(dump)
    for domain, one in write_stats(split).items():
        f0 = f"mean F0 {one.log_f0[0].exp():.0f} Hz" if one.log_f0[0] > 0 else "no F0"
        print(f"{domain}: {len(one.frames_mean)} channels, {f0}")
    if is_url(dump):
        print(f"{split / STATS} is for this machine; copy it to {dump} for others")
