"""The common part of all converters: representation, statistics and translator."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from voiceconv.build import build
from voiceconv.converter.directory import engine_of, find_model, read_model, write_model
from voiceconv.converter.unseen import SAME_VOICE, distance
from voiceconv.device import device_of
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, Features, Representation, convert_tracks
from voiceconv.hub import Access, HubName, make_ready, upload
from voiceconv.models import Translator
from voiceconv.models.base import MIX
from voiceconv.models.exported import OnnxTranslator
from voiceconv.vocoders import Vocoder

PARTS = ("features", "translator", "vocoder")


class FrameConverter(ABC):
    """A trained translator with the statistics and the representation of its frames.

    Args:
        config: nodes `features`, `translator` and `vocoder` as `build` takes them, the last None
            without audio; `loudness`, the LUFS to which waves are brought before
            analysis, as in training, or None; `card`.
        stats: by domain; the sorted names are the domain_ids.
        translator: makes it of `n_channels` and `n_domains`; None: as `config` says.
    """

    kind: ClassVar[type[Representation]]  # the kind of frames that it converts
    exported: ClassVar[Callable[..., Translator]] = OnnxTranslator  # of a folder
    vocoder: Vocoder[Any] | None = None

    def __init__(
        self,
        config: Mapping[str, Any],
        stats: Mapping[str, DomainStats],
        translator: Callable[..., Translator] | None = None,
    ) -> None:
        self.domains = sorted(stats)
        self.stats = dict(stats)
        self.config = {part: config[part] for part in PARTS} | {
            "domains": self.domains,
            "loudness": config["loudness"],
            "card": dict(config.get("card") or {}),
        }
        self.representation = build(config["features"], self.kind)
        self.config["features"] = self.representation.node(config["features"])
        n_channels = self.representation.n_channels
        for domain, one in self.stats.items():
            if one.frames_mean.shape != (n_channels,):
                raise InputError(
                    f"the statistics of {domain!r} are of {len(one.frames_mean)} channels, the "
                    f"features of {n_channels}; use those that belong together"
                )
        self._open()
        make = translator or partial(build, config["translator"], Translator)
        self.translator = make(n_channels=n_channels, n_domains=len(self.domains))

    @abstractmethod
    def _open(self) -> None:
        """Make what else a kind needs; before the translator, whose weights are the last drawn."""

    @classmethod
    def from_pretrained(
        cls,
        model: Path | str | None = None,
        engine: str | None = None,
        *,
        revision: str | None = None,
        cache_dir: Path | str | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> Self:
        """A model or run directory, a bundled model's name, a model of the hub; None: the default.

        engine: `torch`, or `onnx` for what `voiceconv export` has written; None: what it is for.
        The others are of the hub, with the names of huggingface_hub's mixin: see `hub.Access`.

        Raises InputError where it is missing, incomplete, damaged, for another engine, or asks for
        foreign classes; for the hub see `hub.fetch`.
        """
        folder = find_model(model, Access(revision, cache_dir, local_files_only, token))
        onnx = engine_of(folder, engine) == "onnx"
        config, stats, weights = read_model(folder)
        converter = cls(config, stats, partial(cls.exported, folder) if onnx else None)
        converter._read_more(folder)
        if onnx:
            return converter
        try:
            converter.translator.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"{folder}: the weights are not those of its configuration "
                f"({str(error).splitlines()[-1].strip()[:120]}); fetch the model again"
            ) from error
        converter.translator.requires_grad_(False).eval()
        return converter

    def _read_more(self, folder: Path) -> None:  # noqa: B027
        """Read what only some models have in their folder."""

    def save_pretrained(self, folder: Path | str, card: Mapping[str, object]) -> None:
        """Write config.yaml, weights, statistics, README.md, and a neural vocoder's directory."""
        if self.translator.is_export:
            raise InputError("an export has no weights to save; save the model that it was made of")
        config = self.config | {"card": dict(card)}
        vocoder = None if self.vocoder is None else self.vocoder.folder
        write_model(Path(folder), config, self.stats, self.translator.state_dict(), vocoder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        branch: str | None = None,
        commit_message: str | None = None,
    ) -> HubName:
        """Push what `save_pretrained` writes to the hub; the name that it returns has the commit.

        Keywords have the names of huggingface_hub's mixin: see `hub.upload`.
        """
        with TemporaryDirectory(prefix="voiceconv-") as scratch:
            folder = Path(scratch) / "model"
            self.save_pretrained(folder, self.config["card"])
            make_ready(folder, repo_id, self.config["card"].get("licence"))
            return upload(
                folder,
                repo_id,
                private=private,
                token=token,
                branch=branch,
                commit_message=commit_message,
            )

    @property
    def directions(self) -> list[tuple[str, str]]:
        """The (source, target) that the translator converts."""
        pairs = self.translator.directions(len(self.domains))
        return [(self.domains[source], self.domains[target]) for source, target in pairs]

    def check_domains(self, target: str, source: str | None = None) -> None:
        """Raise InputError where `convert` could not take these."""
        for role, name in (("target", target), ("source", source)):
            if name is not None and name not in self.stats:
                raise InputError(f"no {role} {name!r}: this model knows {', '.join(self.domains)}")
        if source == target:
            raise InputError(f"source and target are both {target!r}; choose another target")
        ways = [pair for pair in self.directions if pair[1] == target and source in (None, pair[0])]
        if not ways:
            known = ", ".join(" to ".join(pair) for pair in self.directions)
            raise InputError(
                f"no conversion from {source or 'any voice'} to {target}: this model has {known}"
            )

    def to(self, device: torch.device | str) -> Self:
        """Move the networks; frames and waves stay on the CPU, before and after.

        An export's networks run there.
        """
        self.translator.to(device)
        return self

    def check_conditions(self, names: Iterable[str]) -> None:
        """Raise InputError for a condition that the translator does not take."""
        told = self.translator.default_condition()
        for name in names:
            if name not in told:
                raise InputError(
                    f"no condition {name!r}: this model takes {', '.join(told) or 'none'}"
                )

    def complete(self, condition: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the translator is told: its defaults, and over them what is given by name.

        Raises InputError for a name that it does not take, and for a tensor of another shape.
        """
        told = self.translator.default_condition()
        self.check_conditions(condition)
        for name, value in condition.items():
            wanted = list(told[name].shape)
            if len(wanted) == 3:  # frames of a reference: any number of them
                wanted[2] = value.shape[-1]
            if list(value.shape) != wanted:
                raise InputError(
                    f"condition {name!r} is {list(value.shape)}, this model takes {wanted}"
                )
        return {**told, **condition}

    @abstractmethod
    def listen_to(self, path: Path) -> tuple[DomainStats, Tensor]:
        """A file of this kind -> its own statistics, and frames (1, C, T) normalised by them."""

    def reference(self, path: Path) -> Tensor:
        """A file of this kind -> its normalised frames (1, C, T), as a condition takes them."""
        return self.listen_to(path)[1]

    def stats_of(self, target: str, condition: Mapping[str, Tensor]) -> DomainStats:
        """The statistics of a target, or of the mixture that the condition `mix` asks for."""
        shares = condition[MIX][0].tolist() if MIX in condition else []
        if not any(shares):
            return self.stats[target]
        return DomainStats.mixture([self.stats[domain] for domain in self.domains], shares)

    def translate(
        self,
        features: Features,
        source_stats: DomainStats,
        source: str,
        target: str,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
    ) -> Features:
        """Features of `source`, normalised by `source_stats` -> features of `target`.

        condition: as `complete` gives it; without one the translator's defaults.
        target_stats: of the output; None: of the target, or of its mixture.
        """
        device = device_of(self.translator)
        told = self.translator.default_condition() if condition is None else condition
        target_stats = target_stats or self.stats_of(target, told)
        frames = self.translator(
            source_stats.normalize(features.frames)[None].to(device),
            self.domains.index(source),
            self.domains.index(target),
            **{name: value.to(device) for name, value in told.items()},
        )[0].cpu()
        tracks = convert_tracks(features.tracks, source_stats, target_stats)
        return replace(features, frames=target_stats.denormalize(frames), tracks=tracks)

    def nearest(self, own: DomainStats, target: str) -> tuple[DomainStats, str]:
        """Own statistics of a source that nobody named -> those to go by, and whose network.

        Near enough to a domain, it is that one. A translator of `any_source` has learned from
        recordings' own statistics, and gets them.
        """
        others = [source for source, one in self.directions if one == target]
        distances = {domain: distance(own, self.stats[domain]) for domain in others}
        nearest = min(others, key=distances.__getitem__)
        known = distances[nearest] < SAME_VOICE and not self.translator.any_source
        return (self.stats[nearest] if known else own), nearest
