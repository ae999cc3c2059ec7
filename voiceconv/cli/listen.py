"""`voiceconv listen ...`: listening tests. Imports as in cli/convert.py."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.terminal import escaped
from voiceconv.errors import InputError
from voiceconv.listen.completion import Completion
from voiceconv.listen.methods import METHODS

app = typer.Typer(
    help="Build a listening test, collect answers, analyse them.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)
Folder = Annotated[Path, typer.Argument(metavar="TEST", help="Folder that `listen build` wrote.")]
CompletionUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Link on the last page, by which a crowd platform counts the listener."
    ),
]
CompletionCode = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Code on the last page. [one of each listener's own]"),
]
MethodName = StrEnum("MethodName", list(METHODS))  # type: ignore[misc]


@app.command()
def build(
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder; new or empty.")],
    system: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=DIR", help="Conversions of one system; repeat for each system or folder."
        ),
    ],
    test: Annotated[MethodName, typer.Option(help="Method of the test.")],
    reference: Annotated[
        Path | None, typer.Option(help="The targets' own recordings of the same sentences.")
    ] = None,
    target_reference: Annotated[
        Path | None, typer.Option(help="Other recordings of the targets, for --test similarity.")
    ] = None,
    n_items: Annotated[
        int | None,
        typer.Option(
            "--items", min=1, help="Number of sentences over all directions. [about 20; mushra: 10]"
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Each listener hears every system for each sentence.")
    ] = False,
    n_training: Annotated[
        int | None, typer.Option("--training", min=0, help="Practice trials. [2; mushra: 1]")
    ] = None,
    n_checks: Annotated[
        int | None,
        typer.Option("--checks", min=0, help="Attention checks. [1 in 10 trials; mushra: none]"),
    ] = None,
    loudness: Annotated[float, typer.Option(help="Loudness of every stimulus in LUFS.")] = -23.0,
    sample_rate: Annotated[
        int | None,
        typer.Option(help="Sample rate of every stimulus in Hz. [the lowest of the inputs]"),
    ] = None,
    trim: Annotated[
        float, typer.Option(help="Cut silence at both ends, dB below the loudest part; 0: do not.")
    ] = 40.0,
    longest: Annotated[
        float, typer.Option(min=1, help="Longest recording in seconds; longer ones are left out.")
    ] = 12.0,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    question: Annotated[
        str | None, typer.Option(help="Question of each trial. [the method's]")
    ] = None,
    completion_url: CompletionUrl = None,
    completion_code: CompletionCode = None,
    strings: Annotated[
        Path | None, typer.Option(help="Texts of the page in another language, as JSON.")
    ] = None,
    music: Annotated[
        bool, typer.Option("--music", help="Ask about music and instruments, not about speech.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sentences and orders.")] = 0,
) -> None:
    """Make a listening test: stimuli, the page, folders for webMUSHRA and ReSEval."""
    from voiceconv.listen.building.build import build_test
    from voiceconv.progress import progress_bar

    with progress_bar("stimuli") as progress:
        made = build_test(
            output,
            [_named(one) for one in system],
            test.value,
            reference=reference,
            target_reference=target_reference,
            n_items=n_items,
            full=full,
            n_training=n_training,
            n_checks=n_checks,
            loudness=loudness,
            sample_rate=sample_rate,
            title=title,
            question=question,
            completion=Completion(completion_url, completion_code),
            strings=strings,
            music=music,
            trim=trim or None,
            longest=longest,
            seed=seed,
            on_progress=progress,
        )
    for note in made.notes:
        print(f"voiceconv: {escaped(note)}", file=sys.stderr)
    print(f"{output}: {len(made.trials)} trials, {len(made.lists)} lists")
    print(f"voiceconv listen serve {output}")


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address; 0.0.0.0 admits other computers.")
    ] = "127.0.0.1",
    n_invitations: Annotated[
        int,
        typer.Option("--invitations", min=0, help="Print N personal links and admit nobody else."),
    ] = 0,
    completion_url: CompletionUrl = None,
    completion_code: CompletionCode = None,
) -> None:
    """Serve the page, store the answers, show the experimenter the progress.

    The environment variable VOICECONV_ADMIN_PASSWORD has the experimenter's password; without it a
    password is made and printed.
    """
    from voiceconv.optional import load

    server = load("voiceconv.listen.serving.server", "a server", extra="listen")
    completion = Completion(completion_url, completion_code)
    server.serve(folder, host, port, n_invitations, completion)


@app.command("import")
def import_(
    folder: Folder,
    files: Annotated[
        list[Path], typer.Argument(help="CSV files of webMUSHRA, or answer files of the page.")
    ],
) -> None:
    """Add answers from elsewhere. Importing a file twice changes nothing."""
    from voiceconv.optional import load

    importing = load("voiceconv.listen.exchange.importing", "an import", extra="listen")
    print(importing.import_answers(folder, files))


@app.command()
def backup(
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="The copy; a new file.")],
) -> None:
    """Copy the answers, also while the test is served: one file that has them all."""
    from voiceconv.listen.database import back_up

    print(f"{output}: {back_up(folder, output)} answers")


@app.command()
def report(
    folder: Folder,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="Page (.html), table (.csv) or figure (.png). [TEST/report.html]"
        ),
    ] = None,
    wanted: Annotated[
        float | None,
        typer.Option(
            "--difference",
            help="Effect size; the report then says how many listeners are needed to detect it.",
        ),
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep listeners who fail attention checks.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Analyse the answers: means and intervals, tests, figures, a paragraph for a paper."""
    from voiceconv.optional import load

    outputs = output or [folder / "report.html"]
    reporting = load("voiceconv.listen.reporting.report", "a report", extra="listen")
    reporting.write_report(folder, outputs, wanted=wanted, screen=not keep_all, seed=seed)
    for path in outputs:
        print(path)


def _named(text: str) -> tuple[str, Path]:
    """`NAME=DIR` -> its parts."""
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise InputError(f"--system {text!r} is no NAME=DIR; write --system ours=converted/ours")
    return name, Path(folder)
