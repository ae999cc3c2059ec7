"""File to file, without audio: read a file (such as a piano roll), translate it, write it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from voiceconv.converter.frames import FrameConverter
from voiceconv.converter.unseen import distance
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, Features, FileRepresentation
from voiceconv.files import replacing, unwritable


class FileConverter(FrameConverter):
    """A trained translator between files of the representation's own kind."""

    kind = FileRepresentation
    representation: FileRepresentation

    def _open(self) -> None:
        if self.config["vocoder"] is not None:
            raise InputError("these features are of files without a wave; give vocoder=null")

    @torch.no_grad()
    def convert(
        self,
        path: Path,
        output: Path,
        target: str,
        source: str | None = None,
        start: float = 0.0,
        end: float | None = None,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
    ) -> None:
        """A file, or seconds [start, end) of it -> one of the target domain, whole or not at all.

        source: its domain; None: recognised, if the statistics of the domains differ.
        condition, target_stats: as `translate` takes them.

        Raises InputError for a domain that the model does not know, or does not recognise, and for
        a file that is damaged, empty or of another kind.
        """
        self.check_domains(target, source)
        features = self.representation.read(path, start, end)
        if not features.frames.shape[1]:
            raise InputError(f"{path} holds no frame; nothing in it can be converted")
        stats, source = self._know_source(features, target, source, path)
        told = self.complete(condition or {})
        converted = self.translate(features, stats, source, target, told, target_stats)
        try:
            with replacing(output) as temporary:
                self.representation.write(temporary, converted, path)
        except OSError as error:
            raise unwritable(output, error) from error

    def listen_to(self, path: Path) -> tuple[DomainStats, Tensor]:
        """See FrameConverter."""
        features = self.representation.read(path)
        own = self.representation.fit([features])
        return own, own.normalize(features.frames)[None]

    def _know_source(
        self, features: Features, target: str, source: str | None, path: Path
    ) -> tuple[DomainStats, str]:
        """The statistics to normalise by, and the domain whose network is used."""
        if source is not None:
            return self.stats[source], source
        first, *rest = (source for source, one in self.directions if one == target)
        if rest and not any(distance(self.stats[first], self.stats[one]) for one in rest):
            raise InputError(
                f"{path}: statistics of this model's domains are alike and don't tell of which it "
                f"is; give --source, one of {', '.join([first, *rest])}"
            )
        return self.nearest(self.representation.fit([features]), target)
