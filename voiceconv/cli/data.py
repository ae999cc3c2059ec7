"""`voiceconv data ...`: corpora to and from other tools' formats. Imports as in cli/convert.py."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Import and export corpora: lhotse's manifests.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in [brackets] for a tag
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("from-lhotse")
def from_lhotse(
    manifests: Annotated[
        list[Path],
        typer.Argument(
            metavar="MANIFEST...", help="Recordings and supervisions, or cuts: .jsonl or .jsonl.gz."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Output data directory; new.")],
) -> None:
    """Make a Kaldi data directory of manifests: a supervision is an utterance of its speaker.

    Split it by `voiceconv prepare`, or import each split of a corpus to DATA/train, val and test.
    """
    from voiceconv.data.manifests import from_lhotse

    utterances = from_lhotse(manifests, data)
    n_domains = len({utterance.domain for utterance in utterances})
    print(f"{data}: {len(utterances)} utterances of {n_domains} domains")


@app.command("to-lhotse")
def to_lhotse(
    data: Annotated[Path, typer.Argument(help="Data directory, or folder of splits.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder; new.")],
) -> None:
    """Write recordings.jsonl.gz and supervisions.jsonl.gz of a data directory, or of each split."""
    from voiceconv.data.manifests import to_lhotse

    for folder, count in to_lhotse(data, output).items():
        print(f"{folder}: {count} utterances")
