"""What crops of a dump in an object store cost: read by byte ranges, and from the mirror.

python benchmarks/stores.py s3://bucket/dump --steps 500

A step reads a crop of 128 frames of each domain, as unpaired training does. By ranges, each crop is
a request, and so is each utterance's header, which says how long it is. Both give the same crops.
"""

import argparse
import struct
import time

import numpy as np
from fsspec.core import url_to_fs

from voiceconv.data.archive import Archive, Location
from voiceconv.data.crops import UnpairedCrops
from voiceconv.data.dump import read_dump
from voiceconv.data.statistics import read_stats
from voiceconv.data.stores import address, local

HEADER = 15  # bytes of a matrix's
asked: list[int] = []  # bytes of each request


class ByRanges:
    """The matrix (T, C) at a location, each part of which is asked of the store."""

    def __init__(self, location: Location) -> None:
        self._store, self._path = url_to_fs(address(location.path))
        self._start = location.offset + HEADER
        self.shape = struct.unpack("<xixi", self._ask(location.offset + 5, 10))

    def _ask(self, start: int, n_bytes: int) -> bytes:
        asked.append(n_bytes)
        content: bytes = self._store.cat_file(self._path, start=start, end=start + n_bytes)
        return content

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, part: slice) -> np.ndarray:
        width = self.shape[1] * 4
        data = self._ask(self._start + part.start * width, (part.stop - part.start) * width)
        return np.frombuffer(data, "<f4").reshape(-1, self.shape[1])


def read_steps(crops: UnpairedCrops, n_steps: int, name: str) -> list[bytes]:
    """Print what the steps cost; the bytes of their frames."""
    asked.clear()
    began = time.perf_counter()
    batches = [crops.batch(step).frames for step in range(n_steps)]
    seconds = time.perf_counter() - began
    print(
        f"{name}, a step: {len(asked) / n_steps:g} requests, {sum(asked) / n_steps / 1e3:.1f} kB, "
        f"{1e3 * seconds / n_steps:.2f} ms"
    )
    return [frames.numpy().tobytes() for frames in batches]


def main() -> None:
    """Print requests, bytes and seconds of both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--steps", type=int, default=500)
    given = parser.parse_args()
    train = local(given.url) / "train"
    stats, locations = read_stats(train), Archive(train / "feats.scp").locations
    began = time.perf_counter()
    mirrored = read_dump(train)
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in {one.path for one in locations.values()})
    print(f"mirror, once: {size / 1e6:.1f} MB, {seconds:.2f} s")
    began = time.perf_counter()
    remote = {
        domain: {stem: ByRanges(locations[f"{domain}-{stem}"]) for stem in some}
        for domain, some in mirrored.items()
    }
    print(f"ranges, once: {len(asked)} headers, {time.perf_counter() - began:.2f} s")
    by_ranges = UnpairedCrops(remote, stats)  # type: ignore[arg-type]
    crops = read_steps(by_ranges, given.steps, "ranges")
    if crops != read_steps(UnpairedCrops(mirrored, stats), given.steps, "mirror"):
        raise SystemExit("the crops differ")


if __name__ == "__main__":
    main()
