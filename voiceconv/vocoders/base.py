"""The interface of a vocoder: features of one definition -> a wave."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from voiceconv.errors import InputError
from voiceconv.features.base import FeatureExtractor, differences
from voiceconv.features.frames import Features

E = TypeVar("E", bound=FeatureExtractor)


class Vocoder(ABC, Generic[E]):
    """Inverts the definition of one extractor. Raises InputError for other features."""

    takes: ClassVar[type[FeatureExtractor]]
    has_weights: ClassVar[bool] = False  # trained ones
    is_causal: ClassVar[bool] = False  # those made for streams, which others go before
    folder: Path | None = None  # folder of its weights, if it has any

    def __init__(self, extractor: E) -> None:
        if not isinstance(extractor, self.takes):
            raise InputError(
                f"{type(self).__name__} makes waves of {self.takes.__name__} features, not of "
                f"{type(extractor).__name__}'s; choose the vocoder that belongs to the features"
            )
        self.extractor = extractor

    def to(self, device: torch.device | str) -> None:
        """Move the network, where it has one; features and waves stay on the CPU."""

    @abstractmethod
    def synthesize(self, features: Features) -> Tensor:
        """Features of T frames -> wave (T * hop_length,), frame t centred on t * hop_length."""

    def _check(self, features: Features) -> None:
        """Raise InputError if the features are not from this extractor."""
        wanted = self.extractor.definition
        if differing := differences(wanted, features.definition or wanted):
            raise InputError(
                f"{type(self).__name__} got features of another definition: "
                f"{'; '.join(differing)}; extract with its own"
            )
        n_channels = features.frames.shape[0]
        if features.frames.ndim != 2 or n_channels != self.extractor.n_channels:
            raise InputError(
                f"{type(self).__name__} was made for {self.extractor.n_channels} channels and got "
                f"frames of shape {tuple(features.frames.shape)}; extract with its own definition"
            )
