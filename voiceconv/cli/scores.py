"""Commands about scores: evaluate, compare, report; imports as in cli/convert.py."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.options import AsJson, ExecutorKind, Jobs, Scheduler, Wait
from voiceconv.cli.terminal import escaped, logging_to_stderr


def evaluate(
    converted: Annotated[Path, typer.Argument(help="Converted files, or a data directory.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output file, JSON.")],
    reference: Annotated[
        Path | None, typer.Option(help="The target's own recordings of the same sentences.")
    ] = None,
    target_train: Annotated[Path | None, typer.Option(help="The target's training files.")] = None,
    source_train: Annotated[Path | None, typer.Option(help="The source's training files.")] = None,
    text: Annotated[
        Path | None, typer.Option(help="Transcripts: lines of `id text`, or a data directory.")
    ] = None,
    copy_of: Annotated[
        Path | None, typer.Option(help="Original recordings, if CONVERTED has copies of them.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Domain in --reference and --target-train, if they have several; IN-TARGET.wav "
            "is then a conversion of IN."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Domain in all other data directories, if they have several.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Domain of CONVERTED, if it is not the source.")
    ] = None,
    recogniser: Annotated[
        str | None,
        typer.Option(help="Command that prints a transcript of the file {}. [PocketSphinx]"),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric; may be repeated.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Setting of the protocol, such as mcd.order=34."
        ),
    ] = None,
    voices: Annotated[
        Path | None, typer.Option(help="Cache folder for speaker embeddings and F0.")
    ] = None,
    jobs: Jobs = None,
    executor: ExecutorKind = "local",
    scheduler: Scheduler = None,
    wait: Wait = None,
) -> None:
    """Score converted files: means, intervals, and their protocol."""
    from voiceconv.errors import RunError
    from voiceconv.evaluation.evaluate import Given, evaluate_folder
    from voiceconv.evaluation.protocol import parse
    from voiceconv.evaluation.scores import as_lines, make_place, write_scores
    from voiceconv.executors import open_executor
    from voiceconv.progress import progress_bar

    make_place(output)
    given = Given(
        converted, reference, target_train, source_train, text, copy_of, target, source, domain
    )
    protocol = parse(setting or [])
    places = [converted, reference, target_train, source_train, text, copy_of]
    with (
        logging_to_stderr(),
        open_executor(executor, scheduler, jobs, wait, places) as run,
        progress_bar("evaluate") as progress,
    ):
        scores = evaluate_folder(
            given,
            metric or (),
            protocol,
            recogniser,
            jobs,
            voices,
            on_progress=progress,
            executor=run,
        )
    write_scores(output, scores)
    print(as_lines(scores))
    if not scores["metrics"] and any("missing" in row for row in scores["utterances"].values()):
        raise RunError(f"no recording has a value in any measure; {output} says why")


def compare(
    scores: Annotated[list[Path], typer.Argument(help="Two or more scores.json files.")],
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare scores with equal protocols; refuse others and name the difference."""
    from rich.console import Console

    from voiceconv.evaluation.compare import compare, table

    compared = compare(scores, metric or ())
    if as_json:
        print(json.dumps(compared, indent=2))
    else:
        Console().print(table(compared))
    for note in compared["notes"]:
        print(f"voiceconv: {escaped(note)}", file=sys.stderr)


def report(
    run: Annotated[Path, typer.Argument(help="Run directory of a recipe.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output page. [RUN/report.html]")
    ] = None,
    n_utterances: Annotated[
        int, typer.Option(min=0, help="Utterances of each direction, with picture and sound.")
    ] = 6,
) -> None:
    """Make one page of a run: scores, curves, pictures and sound; it loads no other files."""
    from voiceconv.progress import progress_bar
    from voiceconv.report import write_report

    page = output or run / "report.html"
    with progress_bar("report") as progress:
        write_report(run, page, n_utterances, progress)
    print(page)
