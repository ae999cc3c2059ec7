"""Put a run's model, its card completed by its scores, among those that come with the package.

python bundle_model.py EXP NAME
"""

import json
import sys
from pathlib import Path

from voiceconv import Converter
from voiceconv.model_directory import BUNDLED


def main(exp: Path, name: str) -> None:
    """EXP/model and EXP/scores/<source>-<target>.json -> voiceconv/pretrained/NAME."""
    converter = Converter.from_pretrained(exp)
    scores = {}
    for source in converter.domains:
        for target in converter.domains:
            path = exp / "scores" / f"{source}-{target}.json"
            if path.exists():
                metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
                scores[f"{source} to {target}"] = {
                    metric: f"{one['mean']:.2f} {one['unit']}".rstrip() + f" (n = {one['n']})"
                    for metric, one in metrics.items()
                }
    converter.save_pretrained(BUNDLED / name, converter.config["card"] | {"scores": scores})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
