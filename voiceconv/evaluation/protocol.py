"""Protocols: the settings that a user can choose, the stamp of scores, the comparison of stamps.

A stamp has three parts: `common`, the settings of all measures; `inputs`, SHA-256 digests of the
reference inputs (shortened per utterance); and one part for each measure, by its name.
"""

import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from voiceconv import __version__
from voiceconv.errors import InputError
from voiceconv.evaluation.bootstrap import N_RESAMPLES
from voiceconv.evaluation.inputs import digest
from voiceconv.metrics import (
    MEASURES,
    analysis,
    bandwidth,
    copy_synthesis,
    intelligibility,
    level,
    modulation_spectrum,
    music,
    naturalness,
    prosody,
    speaker_similarity,
    wave_input,
)
from voiceconv.metrics.analysis import DEFAULT, MelCepstralProtocol
from voiceconv.metrics.intelligibility import Recogniser
from voiceconv.provenance import commit

RESAMPLERS = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")  # as librosa names them
# Keys that change scores only in their last digits, or only identify the code.
NOTED = ("commit", "python", "numpy", "torch", "soxr")
Stamp = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Protocol:
    """The settings that a user can choose.

    Args:
        resampler: soxr's quality, for recordings that are not at 16 kHz.
        mcd: settings of the mel-cepstral distortion and of all measures along its path.
    """

    resampler: str = "soxr_vhq"
    mcd: MelCepstralProtocol = DEFAULT

    def __post_init__(self) -> None:
        if self.resampler not in RESAMPLERS:
            raise ValueError(f"resampler {self.resampler!r}; give {', '.join(RESAMPLERS)}")

    @property
    def quality(self) -> str:
        """The name of the resampler in soxr."""
        return self.resampler.removeprefix("soxr_").upper()


def parse(settings: Sequence[str]) -> Protocol:
    """`KEY=VALUE` words -> a protocol. Raises InputError for an unknown key or a wrong value."""
    types: dict[str, type] = {"resampler": str}
    types |= {f"mcd.{name}": type(value) for name, value in asdict(DEFAULT).items()}
    chosen: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in types:
            raise InputError(f"--set {setting}: no such setting; known are {', '.join(types)}")
        chosen[key] = _value(setting, value, types[key])
    mcd = {key.removeprefix("mcd."): value for key, value in chosen.items() if "." in key}
    common = {key: value for key, value in chosen.items() if "." not in key}
    try:
        return Protocol(**common, mcd=MelCepstralProtocol(**mcd))
    except ValueError as error:
        raise InputError(f"--set: {error}") from None


def stamp(
    protocol: Protocol,
    names: Iterable[str],
    stems: Collection[str],
    inputs: Mapping[str, str | dict[str, str]],
    recogniser: Recogniser | None,
    seed: int,
) -> Stamp:
    """The stamp of the measures `names` over these utterances and these inputs."""
    return {
        "common": {
            "voiceconv": __version__,
            "commit": commit(),
            "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "torch", "soxr")},
            **wave_input.protocol(),
            **bandwidth.protocol(),
            "resampler": protocol.resampler,
            "utterances": digest(stems),
            "n_utterances": len(stems),
            "seed": seed,
            "n_resamples": N_RESAMPLES,
        },
        "inputs": dict(inputs),
        **{name: measure_stamp(name, protocol, recogniser) for name in names},
    }


def measure_stamp(
    name: str, protocol: Protocol, recogniser: Recogniser | None = None
) -> dict[str, object]:
    """The settings of one measure."""
    if MEASURES[name].of_music:
        return music.protocol(name)
    if name == "modulation_spectrum_distance":
        return {**analysis.protocol(protocol.mcd), **modulation_spectrum.protocol()}
    if "reference" in MEASURES[name].needs:
        return analysis.protocol(protocol.mcd)
    if name in ("speaker_similarity", "source_similarity", "nearer_target"):
        return speaker_similarity.protocol()
    if name in ("f0_mean_difference", "f0_spread_ratio"):
        return prosody.protocol(protocol.mcd.f0)
    if name.startswith("dnsmos"):
        return naturalness.protocol()
    if "text" in MEASURES[name].needs:
        assert recogniser is not None
        return intelligibility.protocol(recogniser)
    if "copy_of" in MEASURES[name].needs:
        return copy_synthesis.protocol(name, protocol.mcd.f0)
    return level.protocol()


def unlike(first: Stamp, second: Stamp, names: Iterable[str]) -> str | None:
    """The first difference of two stamps that influences the measures `names`, or None."""
    for key in _keys(first["common"], second["common"]):
        if key not in NOTED and first["common"].get(key) != second["common"].get(key):
            return _differs(key, first["common"], second["common"])
    for name in names:
        for key in _keys(first[name], second[name]):
            if first[name].get(key) != second[name].get(key):
                return f"{name}: {_differs(key, first[name], second[name])}"
        for need in MEASURES[name].needs:
            one, other = first["inputs"].get(need), second["inputs"].get(need)
            if one != other:
                return f"the {_INPUTS[need]} differ{_where(one, other)}"
    return None


def noted(first: Stamp, second: Stamp) -> list[str]:
    """The differences without influence on a comparison, one sentence each."""
    one, other = first["common"], second["common"]
    return [_differs(key, one, other) for key in NOTED if one.get(key) != other.get(key)]


_INPUTS = {
    "reference": "reference recordings",
    "target_train": "target's training recordings",
    "source_train": "source's training recordings",
    "text": "transcripts",
    "copy_of": "recordings they are copies of",
}


def _where(one: Any, other: Any) -> str:
    """The first utterance whose digest differs, and the number of the others."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return ""
    stems = [stem for stem in sorted({*one, *other}) if one.get(stem) != other.get(stem)]
    return f" (that of {stems[0]!r}" + (f" and {len(stems) - 1} more)" if stems[1:] else ")")


def _keys(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def _differs(key: str, first: dict[str, Any], second: dict[str, Any]) -> str:
    return f"{key} is {second.get(key, 'not given')}, not {first.get(key, 'not given')}"


def _value(setting: str, text: str, kind: type) -> Any:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        what = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise InputError(f"--set {setting}: give {what}, not {text!r}") from None
