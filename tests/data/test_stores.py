"""Dumps in object stores, against an S3 of this machine."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import fsspec
import numpy as np
import pytest
from dumps import write_dump
from object_store import BUCKET, ObjectStore, object_store
from omegaconf import OmegaConf
from s3fs import S3FileSystem
from test_config import TINY, make_dump
from tiny_model import Cli, make_cli, speech

from voiceconv.build import compose_config
from voiceconv.commands.convert import open_converter
from voiceconv.data import stores
from voiceconv.data.archive import Archive, ArchiveWriter
from voiceconv.data.dump import read_dump
from voiceconv.data.statistics import STATS, read_stats
from voiceconv.data.stores import address, local, present
from voiceconv.errors import InputError, NoRoomError, RunError

URL = f"s3://{BUCKET}/dump"
TABLES = ["ap.scp", "f0.scp", "feats.scp", "features.yaml", "processing.yaml", "utt2spk"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    return write_dump(tmp_path_factory.mktemp("stores") / "dump", seconds=0.5)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Mirrors of each test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store(server, dump) -> Iterator[ObjectStore]:
    """The dump at URL; nothing was asked yet."""
    server.client.put(f"{dump}/", f"{URL}/", recursive=True)
    server.requests.clear()
    yield server
    server.client.rm(f"s3://{BUCKET}/dump", recursive=True)


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def assert_same_frames(one: Path, other: Path) -> None:
    ours, theirs = read_dump(one), read_dump(other)
    assert {domain: list(some) for domain, some in ours.items()} == {
        "high": ["01", "02"],
        "low": ["01", "02"],
    }
    for domain, some in ours.items():
        for stem, frames in some.items():
            np.testing.assert_array_equal(frames, theirs[domain][stem])


def test_frames_are_those_of_the_local_dump_to_the_bit(store, dump):
    assert_same_frames(local(URL) / "train", dump / "train")


def test_an_archive_is_read_once_and_only_if_it_is_needed(store):
    mirror = local(URL)
    assert store.read() == sorted([*TABLES, *TABLES, STATS])
    frames = Archive(mirror / "train" / "feats.scp")
    assert store.read() == []
    for _ in range(3):
        assert [len(frames[name]) for name in frames] == [101] * 4
    assert store.read() == ["feats.0.ark"]
    read_dump(local(URL) / "train")
    assert {one.method for one in store.requests} == {"list_objects_v2"}
    assert len(store.requests) == 3  # the dump, train, val


def test_archives_come_in_pieces_and_an_interrupted_one_goes_on(store, dump, monkeypatch):
    monkeypatch.setattr(stores, "PIECE", 10_000)
    monkeypatch.setattr(stores, "N_AT_ONCE", 2)

    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    path = local(URL) / "train" / "feats.0.ark"
    store.requests.clear()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stores, "progress_bar", lambda _: nullcontext(interrupt))
        present(path)
    assert not path.exists()
    present(path)
    whole = (dump / "train" / "feats.0.ark").read_bytes()
    assert path.read_bytes() == whole
    asked = [one.range for one in store.requests if one.method == "get_object"]
    starts = range(0, len(whole), 10_000)
    assert sorted(asked) == sorted(
        f"bytes={start}-{min(start + 10_000, len(whole)) - 1}" for start in starts
    )


def test_what_changes_in_the_store_is_fetched_anew_and_the_rest_is_kept(store, dump, tmp_path):
    mirror = local(URL)
    for split in ("train", "val"):
        read_dump(mirror / split)
    other = write_dump(tmp_path / "other", seconds=0.6)
    for name in ("feats.scp", "feats.0.ark"):
        store.client.put(str(other / "train" / name), f"{URL}/train/{name}")
    store.client.rm(f"{URL}/train/f0.scp")
    store.requests.clear()
    for split in ("train", "val"):
        read_dump(local(URL) / split)
    assert store.read() == ["feats.0.ark", "feats.scp"]
    assert_same_frames(mirror / "train", other / "train")
    assert not (mirror / "train" / "f0.scp").exists()


def test_a_split_that_is_no_more_in_the_store_is_none_here(store):
    mirror = local(URL)
    assert (mirror / "val" / "feats.scp").exists()
    store.client.rm(f"{URL}/val", recursive=True)
    assert not (local(URL) / "val" / "feats.scp").exists()


def test_an_archive_that_changes_under_a_run_is_refused(store, dump):
    mirror = local(URL)
    store.client.put(str(dump / "val" / "feats.0.ark"), f"{URL}/train/feats.0.ark")
    with pytest.raises(RunError, match=rf"{URL}/train/feats.0.ark has changed since .* start it"):
        read_dump(mirror / "train")


@pytest.mark.parametrize("is_fetched", [True, False])
def test_an_archive_that_another_command_brought_up_to_date_is_refused(
    store, dump, tmp_path, monkeypatch, is_fetched
):
    """This process has the tables of the first version, and the mirror those of the second."""
    mirror = local(URL)
    other = write_dump(tmp_path / "other", seconds=0.6)
    for name in ("feats.scp", "feats.0.ark"):
        store.client.put(str(other / "train" / name), f"{URL}/train/{name}")
    with monkeypatch.context() as command:
        command.setattr(stores, "_seen", {})
        local(URL)
        if is_fetched:
            assert_same_frames(mirror / "train", other / "train")
    path = mirror / "train" / "feats.0.ark"
    assert path.exists() == is_fetched
    store.requests.clear()
    with pytest.raises(RunError, match=f"{URL}/train/feats.0.ark has changed since the run began"):
        present(path)
    assert store.read() == []
    for name in ("train/f0.0.ark", "val/feats.0.ark"):  # the same in both versions
        assert present(mirror / name).read_bytes() == (dump / name).read_bytes()
    assert_same_frames(local(URL) / "train", other / "train")  # a run that begins now


def test_training_from_the_store_is_training_from_the_disk_to_the_bit(
    server, voiceconv, tmp_path, monkeypatch
):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    features = OmegaConf.to_container(compose_config(["features=mel"]).features)
    made = make_dump(tmp_path / "made", features, {"low": [40, 60], "high": [50, 33]})
    server.client.put(f"{made}/", f"s3://{BUCKET}/made/", recursive=True)
    weights = []
    for number, place in enumerate((made, f"s3://{BUCKET}/made")):
        said = voiceconv(
            "train", "experiment=maskcyclegan_vc_small", *TINY, "trainer.n_steps=2",
            f"data.dump={place}", f"run_dir={tmp_path}/run{number}",
        )  # fmt: skip
        assert said.code == 0, said.err
        model = tmp_path / f"run{number}" / "model" / "translator.safetensors"
        weights.append(model.read_bytes())
    assert weights[0] == weights[1]
    assert f"dump: s3://{BUCKET}/made\n" in (tmp_path / "run1" / "config.yaml").read_text()


def test_a_baseline_learns_from_the_store(store, dump):
    ours, theirs = (open_converter("baseline:knn", str(place)) for place in (URL, dump))
    wave = speech("low", 0.5)
    assert ours.convert(wave, "high").equal(theirs.convert(wave, "high"))


def test_statistics_of_a_dump_in_the_store_are_kept_here(store, dump, voiceconv):
    store.client.rm(f"{URL}/train/{STATS}")
    said = voiceconv("stats", f"{URL}/train")
    kept = local(URL) / "train" / STATS
    assert said.out.splitlines()[-1] == (
        f"{kept} is for this machine; copy it to {URL}/train for others"
    )
    assert kept.read_bytes() == (dump / "train" / STATS).read_bytes()
    assert read_stats(local(URL) / "train").keys() == {"high", "low"}
    assert not store.client.exists(f"{URL}/train/{STATS}")
    store.client.pipe(f"{URL}/train/utt2spk", b"high-01 high\n")  # then they are of another dump
    assert not (local(URL) / "train" / STATS).exists()


def test_a_cut_object_is_named_by_its_address(store, dump):
    whole = (dump / "train" / "feats.0.ark").read_bytes()
    store.client.pipe(f"{URL}/train/feats.0.ark", whole[:-100])
    with pytest.raises(InputError) as caught:
        read_dump(local(URL) / "train")
    assert f"{URL}/train/feats.0.ark is cut: it holds {len(whole) - 100} bytes" in str(caught.value)


def test_a_missing_object_is_named_by_its_address(store):
    store.client.rm(f"{URL}/train/feats.0.ark")
    with pytest.raises(InputError, match=f"there is no {URL}/train/feats.0.ark; check the address"):
        read_dump(local(URL) / "train")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("s3://no-such-bucket/dump", "there is no s3://no-such-bucket/dump; check"),
        (f"s3://{BUCKET}/none", f"there is no s3://{BUCKET}/none; check"),
        (f"s3://{BUCKET}/dump/train/utt2spk", "there is no folder with files at s3://.*/utt2spk"),
        ("teapot://corpora/dump", r"no address of a store \(Protocol not known: teapot\)"),
    ],
)
def test_an_address_without_a_dump_is_one_sentence(store, place, sentence):
    with pytest.raises(InputError, match=sentence):
        local(place)


def test_a_store_without_its_package_names_the_extra():
    fsspec.register_implementation("nos3", "nos3fs.S", errtxt="Install nos3")
    with pytest.raises(InputError, match=r"\(Install nos3\).*pip install 'voiceconv\[remote\]'"):
        local("nos3://corpora/dump")


def test_no_credentials_and_no_network_are_one_sentence(voiceconv, monkeypatch, tmp_path):
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": "http://127.0.0.1:9"})
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, error in ((None, "Unable to locate credentials"), ("k", "Could not connect")):
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if name is None:
                monkeypatch.delenv(variable, raising=False)
            else:
                monkeypatch.setenv(variable, name)
        S3FileSystem.clear_instance_cache()
        said = voiceconv("stats", "s3://corpora/dump")
        assert said.code == 1
        assert said.err.startswith(f"voiceconv: error: s3://corpora/dump cannot be read: {error}")
        assert said.err.count("\n") == 1
    S3FileSystem.clear_instance_cache()


def test_a_disk_too_small_for_an_archive_says_how_large_it_is(store, monkeypatch):
    path = local(URL) / "train" / "feats.0.ark"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(NoRoomError, match=r"has 0.0 GB, and .* has room for 0.0; make room"):
        present(path)


def test_other_stores_are_read_alike(dump, tmp_path):
    """A web server that lists folders, the memory of this process, and the disk by its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *given: object) -> None: ...

    web = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(dump.parent))
    )
    threading.Thread(target=web.serve_forever, daemon=True).start()
    fsspec.filesystem("memory").put(f"{dump}/", "/dump/", recursive=True)
    try:
        for place in (f"http://127.0.0.1:{web.server_port}/dump", "memory://dump"):
            mirror = local(place)
            assert_same_frames(mirror / "train", dump / "train")
            assert address(mirror / "train") == f"{place}/train"
    finally:
        web.shutdown()
        web.server_close()
    assert local(f"file://{dump}") == local(dump) == dump


def test_an_archive_beside_its_scp_is_found_where_the_folder_was_moved(tmp_path):
    """Kaldi's scp files have absolute paths."""
    (tmp_path / "old").mkdir()
    with ArchiveWriter(tmp_path / "old", "feats", 0) as writer:
        writer.write("a", np.ones((3, 2), np.float32))
    scp = tmp_path / "old" / "feats.scp"
    scp.write_text(f"a {tmp_path}/old/feats.0.ark:2\n")
    assert Archive(scp)["a"].shape == (3, 2)
    (tmp_path / "old").rename(tmp_path / "new")
    assert Archive(tmp_path / "new" / "feats.scp")["a"].shape == (3, 2)


@pytest.mark.parametrize("name", ["../x.yaml", "train/../../x.yaml", "../../../../.bashrc"])
def test_a_name_that_leads_out_of_a_dump_is_refused_and_nothing_is_written(
    name, tmp_path, monkeypatch
):
    class Hostile:
        def find(self, root, maxdepth, detail):
            return {f"{root}/{one}": {"size": 1, "etag": "1"} for one in ("feats.scp", name)}

        def invalidate_cache(self) -> None:
            pass

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stores, "url_to_fs", lambda url: (Hostile(), "bucket/dump"))
    with pytest.raises(InputError, match="which leads out of its folder"):
        stores.local("s3://bucket/dump")
    assert list(tmp_path.rglob("*")) == []
    inside = {f"train/{one}": {"size": 1, "etag": "1"} for one in ("a/b", "c\\d", "utt2spk")}
    monkeypatch.setattr(Hostile, "find", lambda self, root, **more: {
        f"{root}/{one}": info for one, info in inside.items()
    })  # fmt: skip
    assert stores._listed(Hostile(), "bucket/dump") == {
        "train": {"utt2spk": inside["train/utt2spk"]}
    }


def test_a_mirror_loses_only_what_came_from_the_store(store, dump):
    mirror = stores.local(URL)
    (mirror / "mine.txt").write_text("mine")
    (mirror / "train" / "mine.txt").write_text("mine")
    (mirror / "train" / ".store.json").write_text("{}")
    stores.local(URL)
    assert (mirror / "mine.txt").exists() and (mirror / "train" / "mine.txt").exists()
