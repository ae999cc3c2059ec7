"""`voiceconv info --environment`: what a bug report needs, and nothing of whose machine it is."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import torch

from voiceconv import __version__
from voiceconv.provenance import commit

_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_FOR_DEVELOPERS = "dev"


def environment() -> dict[str, Any]:
    """Versions of what voiceconv is and needs, what is missing, and the devices."""
    needed, extras = _requirements()
    return {
        "voiceconv": __version__,
        "commit": commit(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "packages": {name: _version(name, "voiceconv") for name in needed},
        "extras": {
            extra: {name: _version(name, f"voiceconv[{extra}]") for name in names}
            for extra, names in extras.items()
        },
        "devices": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cuda": [
                torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
            ],
        },
    }


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """What the installed package says that it needs; by extra what each part needs beside it.

    Nothing for a source tree that was never installed.
    """
    try:
        stated = requires("voiceconv") or []
    except PackageNotFoundError:
        stated = []
    needed: list[str] = []
    extras: dict[str, list[str]] = {}
    for one in stated:
        requirement, _, marker = one.partition(";")
        extra = _EXTRA.search(marker)
        name = _NAME.match(requirement)
        assert name is not None
        names = extras.setdefault(extra[1], []) if extra else needed
        names.append(name[0])
    extras.pop(_FOR_DEVELOPERS, None)
    return sorted(needed, key=str.lower), {
        extra: sorted(names, key=str.lower) for extra, names in sorted(extras.items())
    }


def _version(package: str, brought_by: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"missing; install it with: pip install '{brought_by}'"
