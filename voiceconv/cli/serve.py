"""`voiceconv serve`. Imports as in cli/convert.py."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from voiceconv.cli.completion import complete_model
from voiceconv.errors import InputError

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def serve(
    host: Annotated[
        str, typer.Option(help="Address; 0.0.0.0 admits other computers.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    public_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name by which browsers reach a proxy in front."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of jobs. [$XDG_STATE_HOME/voiceconv/serve]"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model beside the bundled ones; repeat for more; the first is the default.",
            autocompletion=complete_model,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Conversions at once. [one per core]")
    ] = None,
    most_seconds: Annotated[
        float, typer.Option(min=1, help="Longest recording in seconds.")
    ] = 600.0,
    most_bytes: Annotated[str, typer.Option(help="Largest file, as 500kB, 100MB, 2GB.")] = "100MB",
    most_jobs: Annotated[int, typer.Option(min=1, help="Jobs that wait or run at once.")] = 100,
    most_live: Annotated[int, typer.Option(min=0, help="Live streams at once.")] = 4,
    keep: Annotated[
        str, typer.Option(help="Time after which a finished job is deleted, as 90s, 30m, 1h, 7d.")
    ] = "1h",
) -> None:
    """Serve conversions: a page, an API for jobs, live conversion."""
    from voiceconv.optional import load
    from voiceconv.workers import n_cores

    server = load("voiceconv.serve.server", "a server", extra="serve")
    settings = load("voiceconv.serve.settings", "a server", extra="serve")
    server.serve(
        settings.Settings(
            folder=folder or _state_home() / "voiceconv" / "serve",
            given=tuple(model or ()),
            n_workers=workers or n_cores(),
            most_seconds=most_seconds,
            most_bytes=int(_measured(most_bytes, BYTES, "--most-bytes", "100MB")),
            most_jobs=most_jobs,
            most_live=most_live,
            keep=_measured(keep, SECONDS, "--keep", "1h"),
        ),
        host,
        port,
        [name.lower() for name in public_name or ()],
    )


def _measured(text: str, units: dict[str, int], option: str, example: str) -> float:
    """`90m` -> 5400.0, by the units' factors."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    factor = units.get(found[2]) if found else None
    if found is None or factor is None or not float(found[1]) * factor >= 1:
        names = ", ".join(filter(None, units))
        raise InputError(
            f"{option} {text!r} is no number with one of the units {names}; write {example}"
        )
    return float(found[1]) * factor


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
