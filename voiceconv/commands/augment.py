"""`voiceconv augment`: a data directory, and beside its utterances converted copies of them."""

import os
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from voiceconv.commands.convert import STRENGTH, Choice, convert, identify, open_converter
from voiceconv.commands.jobs import WAV
from voiceconv.converter import FileConverter
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir, word, write_data_dir
from voiceconv.device import pick_device
from voiceconv.errors import InputError, NoRoomError, RunError
from voiceconv.files import below, unwritable
from voiceconv.hub import pinned
from voiceconv.provenance import read_conversions, write_conversion

COPIES = "wav"  # OUT/wav/TARGET/UTTERANCE.wav
TABLES = ("wav.scp", "segments", "text", "utt2spk", "spk2utt")


class Augmented(NamedTuple):
    """Numbers of utterances in the tables."""

    n_originals: int
    n_copies: int


def augment(
    data: Path,
    out: Path,
    targets: Sequence[str],
    model: str | None = None,
    device: str = "auto",
    strength: float | None = None,
    n_workers: int = 1,
    sources: Collection[str] | None = None,
) -> Augmented:
    """Write the data directory OUT: all utterances of `data`, and a copy of each in every target.

    sources: domains whose utterances get copies; None: all.

    The originals stay where they are. A target's own utterances have no copy in it. Copies that an
    earlier call of the same model left are kept; the tables are written at the end. Raises
    InputError before anything is written, and RunError where some recordings were not converted:
    then the tables are without their copies.
    """
    _check_places(data, out)
    model = pinned(model)
    suffix = _check_targets(targets, model, device, strength)
    originals = [replace(one, path=Path(os.path.abspath(one.path))) for one in read_data_dir(data)]
    chosen = _chosen(originals, sources, data)
    copies = _plan(chosen, {one.id for one in originals}, targets, out, suffix)
    _begin(data, out, {**identify(model), "targets": [*copies], "strength": strength})
    choices = [Choice(one, model=model, device=device, strength=strength) for one in copies]
    failures = _convert(chosen, choices, out, n_workers)
    made = [one for some in copies.values() for one in some if one.path.is_file()]
    write_data_dir(out, [*originals, *made])
    if failures:
        raise RunError("; ".join(failures))
    return Augmented(len(originals), len(made))


def _check_places(data: Path, out: Path) -> None:
    """Refuse what is no data directory, and an output in it."""
    if not is_data_dir(data):
        raise InputError(f"{data} has no wav.scp; name a Kaldi data directory, such as DATA/train")
    if out.resolve().is_relative_to(data.resolve()):
        raise InputError(f"{out} lies in the source {data}; choose a folder outside of it")


def _check_targets(
    targets: Sequence[str], model: str | None, device: str, strength: float | None
) -> str | None:
    """How names of converted files end; None: as those of their sources. Raises InputError."""
    if not targets:
        raise InputError("--targets names none; write --targets A,B")
    pick_device(device, "--device ")
    converter = open_converter(model)
    for target in targets:
        converter.check_domains(target)
    if strength is not None:
        converter.check_conditions([STRENGTH])
    return None if isinstance(converter, FileConverter) else WAV


def _folder(out: Path, target: str) -> Path:
    return Path(os.path.abspath(out)) / COPIES / below(target)


def _chosen(
    originals: Sequence[Utterance], sources: Collection[str] | None, data: Path
) -> list[Utterance]:
    known = {one.domain for one in originals}
    for domain in sources or ():
        if domain not in known:
            raise InputError(f"no domain {domain!r} in {data}: it has {', '.join(sorted(known))}")
    return [one for one in originals if sources is None or one.domain in sources]


def _plan(
    chosen: Sequence[Utterance],
    taken: Collection[str],
    targets: Sequence[str],
    out: Path,
    suffix: str | None,
) -> dict[str, list[Utterance]]:
    """The copies in each target that has some.

    Raises InputError where there are none, and where a copy has the name of an utterance.
    """
    copies = {}
    for target in dict.fromkeys(targets):
        folder = _folder(out, target)
        if some := [_copy(one, target, folder, suffix) for one in chosen if one.domain != target]:
            copies[target] = some
    if not copies:
        raise InputError(f"all that would be converted is {targets[0]}'s own; name another target")
    for one in (one for some in copies.values() for one in some):
        if one.id in taken:
            raise InputError(f"{one.id!r} is an utterance already, and a copy's name; rename it")
    return copies


def _convert(
    chosen: Sequence[Utterance], choices: Sequence[Choice], out: Path, n_workers: int
) -> list[str]:
    """Make the copies that are not there yet; what failed, by target."""
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        write_data_dir(scratch, chosen)
        for choice in choices:
            folder = f"{_folder(out, choice.target)}/"
            try:
                convert([scratch], choice, folder, skip_existing=True, n_workers=n_workers)
            except NoRoomError:
                raise
            except RunError as error:
                failures.append(f"{choice.target}: {error}")
    return failures


def _copy(one: Utterance, target: str, folder: Path, suffix: str | None) -> Utterance:
    """An utterance's copy: a whole file, of the speaker `as-TARGET-SPEAKER`.

    The target stands before the speaker, as in Kaldi's `sp0.9-SPEAKER`: `SPEAKER-as-TARGET-STEM`
    would come before `SPEAKER-STEM`, and Kaldi wants utt2spk in the order of its speakers.
    """
    domain = f"as-{word(target)}-{one.domain}"
    stem = one.id.removeprefix(f"{one.domain}-")
    path = folder / below(one.id + (one.path.suffix if suffix is None else suffix))
    return Utterance(f"{domain}-{stem}", domain, path, text=one.text)


def _begin(data: Path, out: Path, made: dict[str, object]) -> None:
    """Note what makes the copies before the first of them; remove the tables of an earlier call.

    Raises InputError where OUT has something else than copies that were made so.
    """
    note = {**made, "data": str(data.resolve())}
    known = read_conversions(out) if out.is_dir() else []
    if not known and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise InputError(f"cannot write {out}: it is there already; choose another place")
    if any(_maker(entry) != _maker(note) for entry in known):
        raise InputError(
            f"{out} has copies of other recordings, or of another model or strength; give the same "
            "as before, or choose another place"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    for name in TABLES:
        (out / name).unlink(missing_ok=True)
    write_conversion(out, note)


def _maker(note: dict[str, object]) -> tuple[object, ...]:
    """What equal copies have in common: a model is its files, wherever they are."""
    return note.get("sha256") or note.get("model"), note.get("strength"), note.get("data")
