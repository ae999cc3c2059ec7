"""Archives: parity with kaldiio both ways, views without a copy, recovery from a torn end."""

import os
import pickle
import struct
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from voiceconv.data.archive import (
    Archive,
    ArchiveWriter,
    Location,
    intact_utterances,
    open_matrix,
    read_scp,
    write_scp,
)
from voiceconv.errors import InputError

RNG = np.random.default_rng(7)
MATRIX = RNG.standard_normal((50, 36)).astype(np.float32)
VECTOR = RNG.standard_normal(50).astype(np.float32)


@pytest.fixture
def scp(tmp_path: Path) -> Path:
    """An archive of a matrix `a`, a vector `b` and a matrix `ü`."""
    with ArchiveWriter(tmp_path, "feats", 0) as writer:
        writer.write("a", MATRIX)
        writer.write("b", VECTOR)
        writer.write("ü", MATRIX[::-1])
    return tmp_path / "feats.0.scp"


def test_bytes_are_kaldis(scp: Path) -> None:
    header = b"a \0BFM \4" + struct.pack("<i", 50) + b"\4" + struct.pack("<i", 36)
    start = (scp.parent / "feats.0.ark").read_bytes()[: len(header) + 4]
    assert start == header + MATRIX[0, :1].tobytes()
    assert scp.read_text(encoding="utf-8").splitlines()[0] == "a feats.0.ark:2"


def test_kaldiio_reads_ours(scp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scp.parent)  # kaldiio takes scp paths from the current directory
    by_scp = kaldiio.load_scp("feats.0.scp")
    by_ark = dict(kaldiio.load_ark("feats.0.ark"))
    assert sorted(by_scp) == sorted(by_ark) == ["a", "b", "ü"]
    for loaded in (by_scp, by_ark):
        np.testing.assert_array_equal(loaded["a"], MATRIX)
        np.testing.assert_array_equal(loaded["b"], VECTOR)
        np.testing.assert_array_equal(loaded["ü"], MATRIX[::-1])


def test_we_read_kaldiios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kaldiio.save_ark("feats.ark", {"x": MATRIX, "y": VECTOR}, scp="feats.scp")
    archive = Archive("feats.scp")
    np.testing.assert_array_equal(archive["x"], MATRIX)
    np.testing.assert_array_equal(archive["y"], VECTOR)


def test_crop_of_the_map_equals_and_copies_nothing(scp: Path) -> None:
    view = open_matrix(read_scp(scp)["ü"])
    assert view.shape == (50, 36) and view.dtype == np.float32
    assert not view.flags.writeable and not view.flags.owndata
    np.testing.assert_array_equal(view[10:20], MATRIX[::-1][10:20])
    # Same memory as the file: a change of the file is seen through the view.
    offset = read_scp(scp)["ü"].offset + 15
    with open(scp.parent / "feats.0.ark", "rb+") as file:
        file.seek(offset)
        file.write(struct.pack("<f", 1234.5))
    assert view[0, 0] == 1234.5


def test_archive_maps_each_ark_once_and_pickles(scp: Path) -> None:
    archive = Archive(scp)
    first, second = archive["a"], archive["ü"]
    assert first.base is second.base or first.base.base is second.base.base
    assert len(archive) == 3 and list(archive) == ["a", "b", "ü"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(archive))["b"], VECTOR)
    assert len(pickle.dumps(archive)) < 2000


@pytest.mark.parametrize("n_lost", [1, 3, 12])
def test_torn_scp_line_is_dropped_and_writing_goes_on(scp: Path, n_lost: int) -> None:
    whole = (scp.parent / "feats.0.ark").read_bytes()
    scp.write_bytes(scp.read_bytes()[:-n_lost])
    with open(scp.parent / "feats.0.ark", "ab") as ark:
        ark.write(b"half a rec")
    assert sorted(read_scp(scp)) == ["a", "b"]
    with ArchiveWriter(scp.parent, "feats", 0) as writer:
        writer.write("ü", MATRIX[::-1])
    # Neither the torn line nor the unnamed bytes are left: the same as without the accident.
    assert (scp.parent / "feats.0.ark").read_bytes() == whole
    assert sorted(read_scp(scp)) == ["a", "b", "ü"]


def test_intact_utterances(scp: Path) -> None:
    assert intact_utterances(scp) == ["a", "b", "ü"]
    ark = scp.parent / "feats.0.ark"
    ark.write_bytes(ark.read_bytes()[:-1])
    assert intact_utterances(scp) == ["a", "b"]


def test_names_are_composed_and_paths_may_be_no_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xfc")
    folder.mkdir()
    with ArchiveWriter(folder, "feats", 0) as writer:
        writer.write("u\u0308", MATRIX)
    write_scp(tmp_path / "feats.scp", read_scp(folder / "feats.0.scp"))
    assert (tmp_path / "feats.scp").read_bytes() == b"\xc3\xbc \xfc/feats.0.ark:4\n"
    archive = Archive(tmp_path / "feats.scp")
    assert list(archive) == ["ü"]
    np.testing.assert_array_equal(archive["ü"], MATRIX)
    with ArchiveWriter(folder, "feats", 0) as writer:  # goes on
        writer.write("z", MATRIX)
    assert intact_utterances(folder / "feats.0.scp") == ["ü", "z"]


def test_merged_scp_is_sorted_and_relative(tmp_path: Path) -> None:
    folder = tmp_path / "with space: é"
    folder.mkdir()
    for worker, utterance in ((0, "z"), (1, "a")):
        with ArchiveWriter(folder, "feats", worker) as writer:
            writer.write(utterance, MATRIX * (worker + 1))
    parts = read_scp(folder / "feats.0.scp") | read_scp(folder / "feats.1.scp")
    write_scp(folder / "feats.scp", parts)
    assert (folder / "feats.scp").read_text() == "a feats.1.ark:2\nz feats.0.ark:2\n"
    np.testing.assert_array_equal(Archive(folder / "feats.scp")["a"], MATRIX * 2)


def test_cut_ark_names_scp_and_line(scp: Path) -> None:
    ark = scp.parent / "feats.0.ark"
    ark.write_bytes(ark.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"feats\.0\.scp:3: .*feats\.0\.ark is cut: it holds \d+"):
        Archive(scp)["ü"]
    np.testing.assert_array_equal(Archive(scp)["a"], MATRIX)  # the others are still there


def test_scp_line_without_its_file_names_scp_and_line(tmp_path: Path) -> None:
    scp = tmp_path / "feats.scp"
    scp.write_text("a gone.ark:2\n")
    with pytest.raises(InputError, match=r"feats\.scp:1: there is no archive .*gone\.ark"):
        Archive(scp)["a"]


@pytest.mark.parametrize(
    "line", ["a", "a feats.ark", "a feats.ark:x", "a feats.ark:2[0:10]", "a cat x |"]
)
def test_malformed_scp_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "feats.scp").write_text(f"ok feats.ark:2\n{line}\n")
    with pytest.raises(InputError, match=r"feats\.scp:2: expected `utterance path\.ark:offset`"):
        read_scp(tmp_path / "feats.scp")


def test_repeated_utterance_and_missing_scp(tmp_path: Path) -> None:
    (tmp_path / "feats.scp").write_text("a feats.ark:2\na feats.ark:9\n")
    with pytest.raises(InputError, match=r"feats\.scp:2: utterance 'a' occurs a second time"):
        read_scp(tmp_path / "feats.scp")
    with pytest.raises(InputError, match=r"there is no .*f0\.scp; run `voiceconv extract` first"):
        read_scp(tmp_path / "f0.scp")


def test_compressed_or_foreign_bytes_are_refused(tmp_path: Path) -> None:
    kaldiio.save_ark(str(tmp_path / "c.ark"), {"x": MATRIX}, compression_method=2)
    with pytest.raises(InputError, match=r"c\.ark:2 is no uncompressed .*\(found b'\\x00BCM"):
        open_matrix(Location(tmp_path / "c.ark", 2))
    with pytest.raises(InputError, match="empty file|empty"):
        (tmp_path / "e.ark").touch()
        open_matrix(Location(tmp_path / "e.ark", 0))


def test_an_id_with_white_space_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path, "feats", 0) as writer:
        with pytest.raises(InputError, match="'a b' is empty or holds white space"):
            writer.write("a b", MATRIX)
