"""`voiceconv push`: a model to the Hugging Face hub."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from voiceconv.converter import open_model
from voiceconv.converter.directory import VOCODER, find_model, read_config
from voiceconv.hub import check_names, make_ready, model_files
from voiceconv.vocoders import directory


class Parcel(NamedTuple):
    """A folder that is ready to be uploaded; bytes of its files by name; the licence."""

    folder: Path
    sizes: dict[str, int]
    licence: str | None


@contextmanager
def packed(model: str, repo_id: str, branch: str | None = None) -> Iterator[Parcel]:
    """A copy of a model, complete with the vocoder that comes with the package, card and manifest.

    Raises InputError for a name that the hub could not have, and for a model that doesn't open.
    """
    check_names(repo_id, branch)
    source = find_model(model)
    converter = open_model(source)
    card: dict[str, Any] = read_config(source).get("card") or {}
    with TemporaryDirectory(prefix="voiceconv-") as scratch:
        folder = Path(scratch) / "model"
        for name in model_files(source):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
        vocoder = None if converter.vocoder is None else converter.vocoder.folder
        if vocoder is not None and not (folder / VOCODER).is_dir():
            directory.copy_vocoder(vocoder, folder / VOCODER)
        make_ready(folder, repo_id, card.get("licence"))
        sizes = {name: (folder / name).stat().st_size for name in model_files(folder)}
        yield Parcel(folder, sizes, card.get("licence"))
