"""Stage 6 of vc.sh: EXP/scores/*.json to the table EXP/RESULTS.md.

python write_results.py EXP COMMIT COMMAND SOURCE-TARGET...
"""

import sys
from pathlib import Path

import yaml

from voiceconv.evaluate import write_results


def main(exp: Path, commit: str, command: str, directions: list[str]) -> None:
    """Unconverted, by statistics alone, converted; a cell has the directions in their order."""
    config = yaml.safe_load((exp / "model" / "config.yaml").read_text(encoding="utf-8"))
    rows = {
        "source, unconverted": [exp / f"scores/{name}.unconverted.json" for name in directions],
        "statistics alone": [exp / f"scores/{name}.statistics.json" for name in directions],
        "converted": [exp / f"scores/{name}.json" for name in directions],
    }
    steps = config["card"].get("steps")
    write_results(exp / "RESULTS.md", " / ".join(directions), rows, command, commit, steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
