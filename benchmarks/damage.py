"""Random damage to the bytes of a file: what disks, networks, editors and people do."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

HEAD = 64  # bytes: what every format here takes for its header, or its first lines
GROSS = 0.05  # of the file's bytes


class Damaged(NamedTuple):
    """The bytes, what was done, and whether it hit the header or more than GROSS of the file."""

    data: bytes
    how: str
    is_gross: bool


Damage = Callable[[bytes, bytes, np.random.Generator], bytes]  # content, another file's content


def damaged(data: bytes, other: bytes, rng: np.random.Generator) -> Damaged:
    """Damage a file in one of ten ways; it always differs from `data`."""
    while True:
        how = str(rng.choice(list(DAMAGES)))
        new = DAMAGES[how](data, other, rng)
        if new != data:
            return Damaged(new, how, new[:HEAD] != data[:HEAD] or _share(data, new) > GROSS)


def _share(data: bytes, new: bytes) -> float:
    """The share of the bytes that are others, between what both ends still have in common."""
    shortest = min(len(data), len(new))
    old_bytes, new_bytes = (np.frombuffer(one, np.uint8) for one in (data, new))
    if len(data) == len(new):
        return float(np.mean(old_bytes != new_bytes))
    ahead = int(np.argmin(np.append(old_bytes[:shortest] == new_bytes[:shortest], False)))
    left = shortest - ahead
    backwards = old_bytes[::-1][:left] == new_bytes[::-1][:left]
    behind = int(np.argmin(np.append(backwards, False)))
    return (max(len(data), len(new)) - ahead - behind) / len(data)


def _span(size: int, rng: np.random.Generator, most: float = 0.5) -> tuple[int, int]:
    """A part of a file: its first byte, and the one after its last; short ones are as likely."""
    length = max(1, int(size * most ** rng.uniform(1, 12)))
    first = int(rng.integers(max(size - length, 0) + 1))
    return first, first + length


def _flipped(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    new = bytearray(data)
    for place in rng.integers(0, len(data), int(rng.integers(1, 50))):
        new[place] = rng.integers(256)
    return bytes(new)


def _header_flipped(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    new = bytearray(data)
    for place in rng.integers(0, min(200, len(data)), int(rng.integers(1, 8))):
        new[place] = rng.integers(256)
    return bytes(new)


def _cut(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _removed(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    first, stop = _span(len(data), rng)
    return data[:first] + data[stop:]


def _inserted(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    first, stop = _span(len(data), rng)
    return data[:first] + rng.bytes(stop - first) + data[first:]


def _blocks_shuffled(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    size = max(len(data) // int(rng.integers(3, 40)), 1)
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(blocks[place] for place in rng.permutation(len(blocks)))


def _header_shuffled(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    size = min(int(rng.choice([32, HEAD, 256])), len(data))
    return bytes(data[place] for place in rng.permutation(size)) + data[size:]


def _filled(value: int) -> Damage:
    def fill(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
        first, stop = _span(len(data), rng)
        return data[:first] + bytes([value]) * (stop - first) + data[stop:]

    return fill


def _other_header(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([12, 44, 200]))
    return other[:size] + data[size:]


DAMAGES: dict[str, Damage] = {
    "bytes flipped": _flipped,
    "header's bytes flipped": _header_flipped,
    "cut": _cut,
    "part removed": _removed,
    "noise inserted": _inserted,
    "blocks shuffled": _blocks_shuffled,
    "header shuffled": _header_shuffled,
    "part zeroed": _filled(0),
    "part of 0xFF": _filled(255),
    "another file's header": _other_header,
}
