"""Write a converted wave with all that says what made it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.provenance.note import Note, as_tags, note
from voiceconv.provenance.sidecar import check_sidecar, write_sidecar
from voiceconv.provenance.signing import Signer, check_signable
from voiceconv.provenance.watermark import NAME, Watermark

_STREAM = "-"


class Marks(NamedTuple):
    """What else than metadata files get, as the command line has it.

    certificates, key: PEM files for a signed manifest.
    """

    watermark: bool = False
    sidecar: bool = False
    certificates: Path | None = None
    key: Path | None = None

    def check(self, path: Path | str) -> None:
        """Raise InputError for a file that cannot have them, before any work is done."""
        if (self.certificates is None) != (self.key is None):
            raise InputError("--c2pa-cert and --c2pa-key belong together; give both, or neither")
        if str(path) == _STREAM and self.sidecar:
            raise InputError("--sidecar is a file beside a file; name one with -o")
        if self.certificates is not None:
            check_signable("stdout.wav" if str(path) == _STREAM else path)


NO_MARKS = Marks()


class Stamp:
    """Writes files of one kind, made by one choice of settings.

    facts: what their notes say, as `note` takes them.
    noted: something else says what made them, as conversion.json does of its folder; else files of
    a format without text get a sidecar.
    Raises InputError where an extra is missing, and for files that cannot sign.
    """

    def __init__(
        self, kind: str, facts: Mapping[str, object], marks: Marks = NO_MARKS, noted: bool = False
    ) -> None:
        self._kind, self._facts, self._marks, self._noted = kind, dict(facts), marks, noted
        self._watermark = self._signer = None
        if marks.watermark:
            self._watermark = Watermark()
            self._facts["watermark"] = NAME
        if marks.certificates is not None and marks.key is not None:
            self._signer = Signer(marks.certificates, marks.key)

    def write(self, path: Path | str, wave: Tensor, sample_rate: int, **more: object) -> None:
        """Write a wave (N,) as `audio.write` does; more: facts of this one.

        Raises InputError where a foreign file has the place of its sidecar.
        """
        self.check_beside(path, audio.holds_tags(path))
        said = self._note(more)
        if self._watermark is not None:
            wave = self._watermark.mark(wave, sample_rate)
        seal = None
        if self._signer is not None:
            name = "stdout.wav" if str(path) == _STREAM else path
            by_model = self._facts.get("sha256") is not None
            seal = partial(self._signer.seal, name=name, said=said, by_model=by_model)
        audio.write(path, wave, sample_rate, tags=as_tags(said), seal=seal)
        self._put_beside(path, said, audio.holds_tags(path))

    def put_beside(self, path: Path | str, **more: object) -> None:
        """Write the sidecar of a file that is no sound, if it gets one."""
        self._put_beside(path, self._note(more), holds_text=False)

    def check_beside(self, path: Path | str, holds_text: bool = False) -> None:
        """Raise InputError where a foreign file has the place of the file's sidecar."""
        if self._goes_beside(path, holds_text):
            check_sidecar(path)

    def _note(self, more: Mapping[str, object]) -> Note:
        return note(self._kind, {**self._facts, **more})

    def _put_beside(self, path: Path | str, said: Note, holds_text: bool) -> None:
        if self._goes_beside(path, holds_text):
            write_sidecar(path, said)

    def _goes_beside(self, path: Path | str, holds_text: bool) -> bool:
        """Whether a file gets a sidecar."""
        return self._marks.sidecar or not (holds_text or self._noted or str(path) == _STREAM)
