"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_model

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IN...",
        help="Sound files, folders, patterns, Kaldi data directories, or - (stdin).",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="File or folder; -: WAV to stdout. [IN-TARGET.wav]"),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Model directory, run directory, bundled model, or ORG/NAME[@REVISION] on the hub. "
        "[bundled]",
        autocompletion=complete_model,
    ),
]
Rate = Annotated[int | None, typer.Option(help="Sample rate of the output in Hz. [the model's]")]
Skip = Annotated[bool, typer.Option("--skip-existing", help="Skip existing outputs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigDir = Annotated[
    Path | None,
    typer.Option(help="Folder of your own Hydra configuration: DIR/experiment/NAME.yaml."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda: where networks run.")]
Workers = Annotated[
    int, typer.Option("--jobs", min=1, help="Recordings at once, each in a process of one thread.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Parallel processes. [one per core]")]
ExecutorKind = Annotated[
    str,
    typer.Option(
        "--executor",
        help="local; dask, with --scheduler; slurm or sge, with --jobs. See docs/clusters.md.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://node1:8786 or tls://..."),
]
Wait = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="For a lost Dask scheduler to come back, until it fails. [300]",
    ),
]
