"""Put a run's model, its card completed by its scores, among those that come with the package.

python bundle_model.py EXP NAME

A converter's run or a vocoder's; weights in half precision, which loading makes single again.
"""

import json
import sys
from pathlib import Path

from safetensors.torch import load_file

from voiceconv import open_model
from voiceconv.converter.directory import BUNDLED, WEIGHTS
from voiceconv.files import replacing
from voiceconv.model_folder import save_tensors
from voiceconv.vocoders import directory


def main(exp: Path, name: str) -> None:
    """EXP/model and EXP/scores/*.json -> voiceconv/pretrained/NAME."""
    folder = BUNDLED / name
    if (exp / "model" / directory.WEIGHTS).exists():
        config, weights = directory.read_vocoder(exp / "model")
        card = config["card"] | {"scores": scores(exp / "scores" / "all.json")}
        directory.write_vocoder(folder, {**config, "card": card}, weights)
        halve(folder / directory.WEIGHTS)
        return
    converter = open_model(exp)
    found = {
        f"{source} to {target}": scores(path)
        for source in converter.domains
        for target in converter.domains
        if (path := exp / "scores" / f"{source}-{target}.json").exists()
    }
    converter.save_pretrained(folder, converter.config["card"] | {"scores": found})
    halve(folder / WEIGHTS)


def scores(path: Path) -> dict[str, str]:
    """Measures of a scores.json as a card says them; none where there is no such file."""
    metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"] if path.exists() else {}
    return {
        metric: f"{one['mean']:.2f} {one['unit']}".rstrip() + f" (n = {one['n']})"
        for metric, one in metrics.items()
    }


def halve(path: Path) -> None:
    """Weights to half precision, in place."""
    weights = {name: weight.half() for name, weight in load_file(path).items()}
    with replacing(path) as temporary:
        save_tensors(weights, temporary)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
