"""Feature archives: uncompressed Kaldi binary ark files, found through scp files.

Format: Kaldi's matrix/kaldi-matrix.cc and kaldi-vector.cc (Write, binary): the key, a space, then
`\\0B`, `FM ` (float matrix) or `FV ` (float vector), each dimension as the byte 4 and an int32,
then float32 rows, little endian. An scp line is `utterance path.ark:offset`, where the offset is
that of `\\0B`; here the path is relative to the scp's own folder, which may be a mirror of one in
an object store (`stores`). Since nothing is compressed, an utterance is read by mapping the file
into memory: a crop touches only its own pages. Kaldi and kaldiio read these files as they are.
"""

import errno
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from filelock import lock_descriptor
from numpy.typing import NDArray

from voiceconv.data.stores import address, present
from voiceconv.errors import InputError
from voiceconv.files import plain_name, printable, replace_text

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]

_MATRIX = struct.Struct("<2s3sbibi")  # "\0B", "FM ", 4, rows, 4, columns
_VECTOR = struct.Struct("<2s3sbi")  # "\0B", "FV ", 4, dimension
_DTYPE = np.dtype("<f4")


class Location(NamedTuple):
    """The location of an array: ark, byte offset, and the scp line (for errors)."""

    path: Path
    offset: int
    source: str = ""


class ArchiveWriter:
    """Appends arrays to `<name>.<worker>.ark`, and their locations to `<name>.<worker>.scp`.

    An array is flushed before its scp line is written, so a killed writer loses only arrays without
    an scp line. Opened again, it cuts such an incomplete end off and continues.
    """

    def __init__(self, folder: Path | str, name: str, worker: int) -> None:
        self.ark_path = Path(folder) / f"{name}.{worker}.ark"
        self.scp_path = Path(folder) / f"{name}.{worker}.scp"
        self._ark: BinaryIO = open(self.ark_path, "ab")
        # A worker whose master was killed may still be writing its last utterance here.
        lock_descriptor(self._ark.fileno())
        lines = _read_lines(self.scp_path)[0] if self.scp_path.exists() else []
        entries = [(line, *_parse(line, self.scp_path, n)) for n, line in lines]
        # Entries lie in the order of their lines: the last one ends last.
        _cut(self._ark, _end_of(entries[-1][2]) if entries else 0)
        self._scp: BinaryIO = open(self.scp_path, "ab")
        _cut(
            self._scp,
            sum(len(line.encode("utf-8", "surrogateescape")) + 1 for line, _, _ in entries),
        )

    def write(self, utterance: str, array: FloatArray) -> None:
        """Append a (T, C) matrix or a (T,) vector, float32."""
        if not utterance or any(c.isspace() for c in utterance):
            raise InputError(f"utterance id {utterance!r} is empty or holds white space; rename it")
        array = np.ascontiguousarray(array, dtype=_DTYPE)
        self._ark.write(utterance.encode() + b" ")
        offset = self._ark.tell()
        if array.ndim == 2:
            self._ark.write(_MATRIX.pack(b"\0B", b"FM ", 4, array.shape[0], 4, array.shape[1]))
        elif array.ndim == 1:
            self._ark.write(_VECTOR.pack(b"\0B", b"FV ", 4, array.shape[0]))
        else:
            raise ValueError(f"{utterance}: an archive takes (T, C) or (T,), got {array.shape}")
        self._ark.write(array.tobytes())
        self._ark.flush()
        self._scp.write(scp_line(utterance, self.ark_path.name, offset).encode())
        self._scp.flush()

    def close(self) -> None:
        """Put both files on the disk and close them, the ark first."""
        for file in (self._ark, self._scp):
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
                file.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class Archive(Mapping[str, FloatArray]):
    """The arrays of one scp by utterance id, as read-only views; each ark is mapped once.

    Prefer it to `open_matrix` for a whole corpus: a mapping keeps a file descriptor, and these are
    fewer than utterances. Goes through pickle (to workers) without its mappings.
    """

    def __init__(self, scp: Path | str) -> None:
        self.locations = read_scp(scp)
        self._maps: dict[Path, ByteArray] = {}

    def __getitem__(self, utterance: str) -> FloatArray:
        """Return the (T, C) or (T,) view of an utterance."""
        location = self.locations[utterance]
        if location.path not in self._maps:
            self._maps[location.path] = _map_file(location)
        return _view(self._maps[location.path], location)

    def __iter__(self) -> Iterator[str]:
        """Iterate over utterance ids."""
        return iter(self.locations)

    def __len__(self) -> int:
        """Count utterances."""
        return len(self.locations)

    def __getstate__(self) -> dict[str, object]:
        """Pickle without the mappings."""
        return {"locations": self.locations, "_maps": {}}


def read_scp(path: Path | str) -> dict[str, Location]:
    """Read an scp: utterance id -> location. A torn last line (no line end) is left out."""
    path = Path(path)
    locations: dict[str, Location] = {}
    for number, line in _read_lines(path)[0]:
        utterance, location = _parse(line, path, number)
        if utterance in locations:
            raise InputError(
                f"{location.source}: utterance {utterance!r} occurs a second time; extract again"
            )
        locations[utterance] = location
    return locations


def intact_utterances(scp: Path | str) -> list[str]:
    """Return the utterances of an archive's own scp up to the first incomplete array."""
    archive, intact = Archive(scp), []
    if archive and _is_intact(archive, list(archive)[-1]):  # they lie in the order of their lines
        return list(archive)
    for utterance in archive:
        if not _is_intact(archive, utterance):
            break
        intact.append(utterance)
    return intact


def _is_intact(archive: Archive, utterance: str) -> bool:
    try:
        archive[utterance]
    except InputError:
        return False
    return True


def write_scp(path: Path | str, locations: Mapping[str, Location]) -> None:
    """Write locations sorted by id, arks relative to the scp's folder; whole or not at all."""
    folder = Path(path).resolve().parent
    lines = []
    for utterance in sorted(locations):
        ark = os.path.relpath(Path(locations[utterance].path).resolve(), folder)
        lines.append(scp_line(utterance, ark, locations[utterance].offset))
    replace_text(path, "".join(lines))


def scp_line(utterance: str, ark: str, offset: int) -> str:
    """The line of an array in an scp; ark: relative to the scp's folder."""
    return f"{utterance} {ark}:{offset}\n"


def open_matrix(location: Location) -> FloatArray:
    """Map the matrix (T, C) or vector (T,) at a location; read-only, nothing is copied or read yet.

    The view may be unaligned (Kaldi's header is 15 bytes long): copy a crop before torch gets it.
    """
    return _view(_map_file(location), location)


def _map_file(location: Location) -> ByteArray:
    """Map a whole ark as bytes (n,)."""
    try:
        return _memmap(present(location.path))
    except FileNotFoundError:
        raise InputError(
            f"{_at(location)}there is no archive {location.path}; extract again"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: an empty file can't be mapped
        raise InputError(
            f"{_at(location)}cannot read {address(location.path)}: {error}; extract again"
        ) from None


def _memmap(path: Path) -> ByteArray:
    """Map a file; where this process has too many open, first allow it as many as it may have."""
    try:
        return np.memmap(path, dtype=np.uint8, mode="r")
    except OSError as error:
        if error.errno != errno.EMFILE or resource is None:
            raise
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return np.memmap(path, dtype=np.uint8, mode="r")


def _view(data: ByteArray, location: Location) -> FloatArray:
    """(n,) bytes of the ark -> the (T, C) or (T,) array at the location, without a copy."""
    start, shape = _read_header(
        data[location.offset : location.offset + _MATRIX.size].tobytes(), location
    )
    n_bytes = int(np.prod(shape, dtype=np.int64)) * _DTYPE.itemsize
    start += location.offset
    if start + n_bytes > data.size:
        raise InputError(
            f"{_at(location)}{address(location.path)} is cut: it holds {data.size} bytes, "
            f"the array at {location.offset} needs {start + n_bytes}; extract again"
        )
    return np.ndarray(shape, _DTYPE, buffer=data, offset=start)


def _read_header(header: bytes, location: Location) -> tuple[int, tuple[int, ...]]:
    """Return the header's length in bytes and the array's shape."""
    if len(header) >= _MATRIX.size and header[:5] == b"\0BFM ":
        _, _, four, n_rows, also_four, n_columns = _MATRIX.unpack(header)
        if four == also_four == 4 and n_rows >= 0 and n_columns >= 0:
            return _MATRIX.size, (n_rows, n_columns)
    if len(header) >= _VECTOR.size and header[:5] == b"\0BFV ":
        _, _, four, dimension = _VECTOR.unpack(header[: _VECTOR.size])
        if four == 4 and dimension >= 0:
            return _VECTOR.size, (dimension,)
    raise InputError(
        f"{_at(location)}{address(location.path)}:{location.offset} is no uncompressed float "
        f"matrix or vector (found {header[:5]!r}); write it by `voiceconv extract` or `copy-feats`"
    )


def _read_lines(path: Path) -> tuple[list[tuple[int, str]], int]:
    """Return the complete lines of an scp with numbers from 1, and their size in bytes."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no {path}; run `voiceconv extract` first") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.decode("utf-8", "surrogateescape").split("\n")  # paths may not be UTF-8
    return [(n, line) for n, line in enumerate(lines, 1) if line.strip()], len(whole)


def _parse(line: str, scp: Path, number: int) -> tuple[str, Location]:
    """`utterance path.ark:offset` -> the id and where its array is."""
    source = f"{printable(scp)}:{number}"
    # Not str.split(): it also splits at the no-break and wide spaces that a path may hold.
    utterance, _, rest = line.strip(" \t\r").replace("\t", " ").partition(" ")
    name, _, offset = rest.strip().rpartition(":")
    if not name or not offset.isdecimal():
        raise InputError(
            f"{source}: expected `utterance path.ark:offset`, found {line!r}; extract again"
        )
    path = scp.parent / name
    if os.path.isabs(name) and not path.exists():  # Kaldi's, and the folder was moved here
        path = scp.parent / path.name
    return plain_name(utterance), Location(path, int(offset), source)


def _end_of(location: Location) -> int:
    """Return the byte after the array at a location."""
    array = open_matrix(location)
    header = _MATRIX if array.ndim == 2 else _VECTOR
    return location.offset + header.size + array.nbytes


def _cut(file: BinaryIO, n_bytes: int) -> None:
    """Keep the first `n_bytes` of a file and go to its end."""
    file.truncate(n_bytes)
    file.seek(0, os.SEEK_END)


def _at(location: Location) -> str:
    """`feats.scp:3: `, or empty if the location is not from a file."""
    return f"{location.source}: " if location.source else ""
