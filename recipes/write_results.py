"""Stage 6 of vc.sh: EXP/scores/*.json to the tables of EXP/RESULTS.md.

python write_results.py EXP COMMIT COMMAND DIRECTION... where EXP/scores has DIRECTION.json for the
model and DIRECTION.NAME.json for what it is compared with.
"""

import json
import os
import platform
import sys
from pathlib import Path

import yaml

from voiceconv.errors import InputError
from voiceconv.evaluation.results import MODEL, ROWS, Header, write_results


def main(exp: Path, commit: str, command: str, directions: list[str]) -> None:
    """A section for each direction."""
    config = yaml.safe_load((exp / "model" / "config.yaml").read_text(encoding="utf-8"))
    facts = {"scored at commit": commit, "scored on": hardware()}
    if steps := config["card"].get("steps"):
        facts["steps"] = f"{steps:,}"
    if (exp / "provenance.json").exists():
        started = json.loads((exp / "provenance.json").read_text(encoding="utf-8"))[-1]
        facts["trained at commit"] = started.get("commit") or f"voiceconv {started['voiceconv']}"
    sections = {
        direction.replace("-", " to ", 1): {
            name: path
            for name in ROWS
            if (path := exp / "scores" / f"{direction}{suffix(name)}.json").exists()
        }
        for direction in directions
    }
    header = Header(f"{config['card'].get('experiment', exp.name)}", command, facts)
    write_results(exp / "RESULTS.md", header, sections)


def suffix(name: str) -> str:
    """What stands between a direction and .json."""
    return "" if name == MODEL else f".{name}"


def hardware() -> str:
    """Cores and their model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return f"{os.cpu_count()} cores, {model or platform.machine()}"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
    except InputError as error:
        sys.exit(f"write_results.py: error: {error}")
