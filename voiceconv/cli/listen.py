"""`voiceconv listen ...`: listening tests. Imports as in cli/convert.py."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.terminal import printable
from voiceconv.errors import InputError
from voiceconv.listen.methods import METHODS

app = typer.Typer(
    help="Listening tests: build one, collect answers, analyse them.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)
Folder = Annotated[Path, typer.Argument(metavar="TEST", help="What `listen build` made.")]
MethodName = StrEnum("MethodName", list(METHODS))  # type: ignore[misc]


@app.command()
def build(
    output: Annotated[Path, typer.Option("-o", "--output", help="Gets the test; new or empty.")],
    system: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=DIR", help="Conversions of one system; once for each, or for each folder."
        ),
    ],
    test: Annotated[MethodName, typer.Option(help="What listeners are asked.")],
    reference: Annotated[
        Path | None, typer.Option(help="The targets' own recordings of the same sentences.")
    ] = None,
    target_reference: Annotated[
        Path | None, typer.Option(help="Any recordings of the targets: who it should sound like.")
    ] = None,
    n_items: Annotated[
        int | None,
        typer.Option(
            "--items", min=1, help="Sentences, over all directions. [about 20; mushra: 10]"
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Each listener hears each sentence by every system.")
    ] = False,
    n_training: Annotated[
        int | None, typer.Option("--training", min=0, help="Practice trials. [2; mushra: 1]")
    ] = None,
    n_checks: Annotated[
        int | None, typer.Option("--checks", min=0, help="Of attention. [1 in 10; mushra: none]")
    ] = None,
    loudness: Annotated[float, typer.Option(help="LUFS of every stimulus.")] = -23.0,
    sample_rate: Annotated[
        int | None, typer.Option(help="Rate of every stimulus in Hz. [the lowest of the inputs']")
    ] = None,
    trim: Annotated[
        float, typer.Option(help="Cut silence this many dB below the loudest at both ends; 0: no.")
    ] = 40.0,
    longest: Annotated[
        float, typer.Option(min=1, help="Seconds; longer recordings are left out.")
    ] = 12.0,
    title: Annotated[str | None, typer.Option(help="What the page is headed.")] = None,
    question: Annotated[
        str | None, typer.Option(help="Asked of each trial. [the method's own]")
    ] = None,
    strings: Annotated[
        Path | None, typer.Option(help="The page's words in another language, as JSON.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which sentences, all orders.")] = 0,
) -> None:
    """Make stimuli, the page, webMUSHRA's and ReSEval's folders of converted recordings."""
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
            strings=strings,
            trim=trim or None,
            longest=longest,
            seed=seed,
            on_progress=progress,
        )
    for note in made.notes:
        print(f"voiceconv: {printable(note)}", file=sys.stderr)
    print(f"{output}: {len(made.trials)} trials, {len(made.lists)} lists")
    print(f"voiceconv listen serve {output}")


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0: for other machines, too.")] = "127.0.0.1",
    n_invitations: Annotated[
        int, typer.Option("--invitations", min=0, help="Print so many personal links; no others.")
    ] = 0,
) -> None:
    """Serve the page, keep the answers, show the experimenter how far they are.

    The experimenter's password is VOICECONV_ADMIN_PASSWORD of the environment, or made and printed.
    """
    from voiceconv.optional import load

    server = load("voiceconv.listen.serving.server", "a server", extra="listen")
    server.serve(folder, host, port, n_invitations)


@app.command("import")
def import_(
    folder: Folder,
    files: Annotated[
        list[Path], typer.Argument(help="webMUSHRA's CSV files, or answers that the page saved.")
    ],
) -> None:
    """Add answers that were collected elsewhere; the same ones twice count once."""
    from voiceconv.optional import load

    importing = load("voiceconv.listen.exchange.importing", "an import", extra="listen")
    print(importing.import_answers(folder, files))


@app.command()
def report(
    folder: Folder,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="A page, a table, a figure. [TEST/report.html]"),
    ] = None,
    wanted: Annotated[
        float | None,
        typer.Option("--difference", help="That should be found: how many listeners does it take?"),
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Leave no listener out, however inattentive.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
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
