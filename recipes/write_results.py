"""The last stage of vc.sh and vocoder.sh: EXP/scores/*.json to the tables of EXP/RESULTS.md.

python write_results.py LAYOUT EXP COMMIT COMMAND SECTION... where LAYOUT is conversion or copies,
and EXP/scores has SECTION.json for the model and SECTION.NAME.json for what it is compared with. A
section is a direction, SOURCE-TARGET; of copies, `all`, or a speaker whom EXP/without-SPEAKER was
trained without.
"""

import json
import os
import platform
import sys
from pathlib import Path

import yaml

from voiceconv.errors import InputError
from voiceconv.evaluation.results import LAYOUTS, MODEL, Header, write_results


def main(layout: str, exp: Path, commit: str, command: str, sections: list[str]) -> None:
    """Write the page, a section for each of these."""
    card = read_card(exp)
    facts = {"scored at commit": commit, "scored on": hardware(), "steps": steps(card)}
    if (exp / "provenance.json").exists():
        started = json.loads((exp / "provenance.json").read_text(encoding="utf-8"))[-1]
        facts["trained at commit"] = started.get("commit") or f"voiceconv {started['voiceconv']}"
    for section in sections:
        if (without := exp / f"without-{section}").is_dir():
            facts[f"steps without {section}"] = steps(read_card(without))
    files = {
        title(layout, section): {
            name: path
            for name in LAYOUTS[layout].rows
            if (path := exp / "scores" / f"{section}{suffix(name)}.json").exists()
        }
        for section in sections
    }
    header = Header(
        str(card.get("experiment", exp.name)), command, {k: v for k, v in facts.items() if v}
    )
    write_results(exp / "RESULTS.md", header, files, LAYOUTS[layout])


def title(layout: str, section: str) -> str:
    """What stands above a section."""
    if layout == "conversion":
        return section.replace("-", " to ", 1)
    return "All voices" if section == "all" else f"{section}, heard in training or not"


def read_card(exp: Path) -> dict[str, object]:
    """What the run's model says of itself."""
    config = yaml.safe_load((exp / "model" / "config.yaml").read_text(encoding="utf-8"))
    card: dict[str, object] = config["card"]
    return card


def steps(card: dict[str, object]) -> str:
    """How long it was trained, or nothing."""
    return f"{card['steps']:,}" if card.get("steps") else ""


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
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
    except InputError as error:
        sys.exit(f"write_results.py: error: {error}")
