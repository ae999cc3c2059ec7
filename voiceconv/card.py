"""The card that goes with a model: README.md in its directory."""

from collections.abc import Mapping
from typing import Any


def card_text(config: Mapping[str, Any], n_parameters: int) -> str:
    """Markdown from a model's configuration, whose `card` holds data, licence, steps and scores."""
    card = config.get("card", {})
    domains = ", ".join(config["domains"])
    features = config["features"]
    rows = {
        "domains": domains,
        "network": config["translator"]["generator"]["_target_"].rpartition(".")[2]
        if "generator" in config["translator"]
        else config["translator"]["_target_"].rpartition(".")[2],
        "parameters": f"{n_parameters:,}",
        "features": ", ".join(
            f"{key} {value}" for key, value in features.items() if key != "_target_"
        ),
        "experiment": card.get("experiment"),
        "steps": card.get("steps"),
        "data": card.get("data"),
        "licence": card.get("licence"),
    }
    lines = [
        f"# {domains}",
        "",
        "A voiceconv model: converts between these domains.",
        "",
        "| | |",
        "| --- | --- |",
    ]
    lines += [
        f"| {key} | {'not stated' if value is None else value} |" for key, value in rows.items()
    ]
    for name, scores in (card.get("scores") or {}).items():
        lines += [
            "",
            f"## {name}",
            "",
            *(f"- {metric}: {value}" for metric, value in scores.items()),
        ]
    lines += [
        "",
        "```",
        f"voiceconv convert in.wav --target {config['domains'][0]} --model DIR",
        "```",
    ]
    return "\n".join(lines) + "\n"
