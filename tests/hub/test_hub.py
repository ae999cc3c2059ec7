"""Models of the hub: there and back, revisions, the cache, and what is refused."""

import json
import logging
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tiny_model import CONFIG, make_cli, make_converter, record, speech

from voiceconv import open_model
from voiceconv.commands.convert import identify
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest, find_model
from voiceconv.errors import InputError, RunError
from voiceconv.hub import fetch, hub_name, pinned
from voiceconv.hub.listing import MOST_FILES, Listed, checked
from voiceconv.serve.models import allowed
from voiceconv.vocoders.directory import find_vocoder

WEIGHTS = "translator.safetensors"


@pytest.fixture
def voiceconv(monkeypatch, capsys):
    return make_cli(monkeypatch, capsys)


def refused(model: str = "org/tiny", error: type[Exception] = InputError, **keywords) -> str:
    with pytest.raises(error) as caught:
        Converter.from_pretrained(model, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def tree_of(hub) -> dict[str, bytes]:
    return hub.repositories["org/tiny"].files()


def test_a_model_that_was_pushed_comes_back_to_the_bit(hub, tiny):
    wave = speech("low", 0.5)
    expected = tiny.convert(wave, "high")
    name = tiny.push_to_hub("org/tiny")
    assert torch.equal(Converter.from_pretrained("org/tiny").convert(wave, "high"), expected)
    opened = open_model(str(name))
    assert isinstance(opened, Converter)
    assert torch.equal(opened.convert(wave, "high"), expected)


def test_what_is_pushed_is_a_model_its_hashes_and_a_card_with_metadata(hub, tiny, tree):
    tiny.push_to_hub("org/tiny")
    pushed = tree_of(hub)
    manifest = json.loads(pushed["sha256.json"])
    assert set(manifest) == {"config.yaml", "stats.safetensors", WEIGHTS}
    assert {name: data for name, data in pushed.items() if name in manifest} == {
        name: data for name, data in tree.items() if name in manifest
    }
    assert set(pushed) == {*manifest, "sha256.json", "README.md", ".gitattributes"}
    _, front, card = pushed["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "voiceconv",
        "pipeline_tag": "audio-to-audio",
        "tags": ["voice-conversion", "audio-to-audio"],
    }
    assert "# high, low" in card and "--target high --model org/tiny\n" in card


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("my own", {"license": "other", "license_name": "my own"}),
    ],
)
def test_a_licence_is_said_in_the_words_of_the_hub(licence, said):
    from voiceconv.hub.pushing import metadata

    assert said.items() <= metadata(licence).items()


def test_a_branch_and_a_commit_are_revisions(hub, tiny, pushed):
    other = Converter(tiny.config | {"loudness": -20.0}, tiny.stats)
    other.push_to_hub("org/tiny", branch="v2")
    assert Converter.from_pretrained("org/tiny").config["loudness"] == -23.0
    assert Converter.from_pretrained("org/tiny", revision="v2").config["loudness"] == -20.0
    assert Converter.from_pretrained("org/tiny@v2").config["loudness"] == -20.0
    assert Converter.from_pretrained("org/tiny", revision=pushed).config["loudness"] == -23.0
    assert "has no revision 'v3'; name another" in refused("org/tiny@v3")
    assert "names a revision, and 'v1' is another" in refused("org/tiny@v2", revision="v1")
    assert "can be no revision" in refused(revision="../../x")
    assert "is of a model on the hub, and four-voices is none" in refused(
        "four-voices", revision="v2"
    )


def test_a_second_push_leaves_no_file_of_the_first(hub, tiny, pushed):
    repository = hub.repositories["org/tiny"]
    old = tree_of(hub) | {"old.onnx": b"x", "vocoder/config.yaml": b"x", "notes.txt": b"kept"}
    repository.commit(old)
    tiny.push_to_hub("org/tiny")
    assert set(tree_of(hub)) == set(old) - {"old.onnx", "vocoder/config.yaml"}


def test_a_commit_is_asked_for_once_and_a_branch_only_for_its_commit(hub, pushed):
    fetch(hub_name("org/tiny"))
    assert sorted(hub.downloaded()) == sorted(set(tree_of(hub)) - {".gitattributes"})
    hub.asked.clear()
    assert fetch(hub_name("org/tiny")).name == pushed
    assert hub.asked == ["GET /api/models/org/tiny"]
    hub.asked.clear()
    assert fetch(hub_name(f"org/tiny@{pushed}")).name == pushed
    assert hub.asked == []
    assert pinned("org/tiny") == f"org/tiny@{pushed}"
    assert (pinned(None), pinned("four-voices")) == (None, "four-voices")


def test_what_is_converted_says_repository_commit_and_digest(
    hub, pushed, voiceconv, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        record(Path("in", f"{name}.wav"), speech("low", 0.3))
    with caplog.at_level(logging.INFO, "voiceconv.hub"):
        said = voiceconv("convert", "in", "-o", "out", "--target", "high", "--model", "org/tiny")
    assert said.code == 0, said.err
    (entry,) = json.loads(Path("out", "conversion.json").read_text())
    folder = find_model("org/tiny")
    assert (entry["model"], entry["revision"]) == ("org/tiny", pushed)
    assert entry["sha256"] == digest(folder) == identify("org/tiny")["sha256"]
    assert f"model org/tiny@{pushed}" in caplog.messages


def test_a_server_has_it_under_its_own_name(hub, pushed):
    assert allowed([f"org/tiny@{pushed}"])["tiny"] == f"org/tiny@{pushed}"
    with pytest.raises(InputError, match="both are 'tiny'; rename one"):
        allowed(["org/tiny", f"org/tiny@{pushed}"])


def test_a_folder_of_that_name_wins(hub, tiny, pushed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.save_pretrained(Path("org", "tiny"), {})
    hub.asked.clear()
    assert find_model("org/tiny") == Path("org/tiny")
    assert hub.asked == []


@pytest.mark.parametrize("name", ["org/tiny/", "/org/tiny", "a/b/c", "../x", "a--b/c", "x.git/y/"])
def test_other_paths_never_reach_the_hub(hub, name):
    assert hub_name(name) is None
    assert "it is neither a model's directory" in refused(name)
    assert hub.asked == []


def test_without_a_connection_the_cache_serves(hub, tiny, pushed, monkeypatch):
    from huggingface_hub import constants

    fetch(hub_name("org/tiny"))
    hub.status = 503
    assert find_model("org/tiny").name == pushed
    with monkeypatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{_closed_port()}")
        assert find_model("org/tiny").name == pushed
        said = refused("org/other", RunError)
        assert "no folder here is called 'org/other'" in said and "cannot be reached" in said
    hub.asked.clear()
    Converter.from_pretrained("org/tiny", local_files_only=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    Converter.from_pretrained("org/tiny")
    assert (
        "org/other is no folder here and not whole in the cache, and the hub may not be asked"
        in refused("org/other")
    )
    assert hub.asked == []


def test_a_cache_of_your_own(hub, pushed, tmp_path):
    Converter.from_pretrained("org/tiny", cache_dir=tmp_path / "own")
    assert (tmp_path / "own" / "models--org--tiny" / "snapshots" / pushed / WEIGHTS).is_file()
    assert not (tmp_path / "cache").exists()


def test_tampered_bytes_are_refused_and_not_kept(hub, pushed, cache):
    data = tree_of(hub)[WEIGHTS]
    hub.tampered[WEIGHTS] = data[:-1] + bytes([data[-1] ^ 1])
    said = refused()
    assert f"org/tiny@{pushed}: {WEIGHTS} is by its hash not the file that was pushed" in said
    assert [path for path in cache.rglob("*") if path.name == WEIGHTS] == []
    assert hub.tampered[WEIGHTS] not in [path.read_bytes() for path in (cache / "blobs").iterdir()]
    hub.tampered.clear()
    Converter.from_pretrained("org/tiny")


@pytest.mark.parametrize("name", ["sha256.json", "README.md", "config.yaml"])
def test_small_files_are_held_against_the_hash_of_git(hub, pushed, name):
    hub.tampered[name] = tree_of(hub)[name].replace(b"o", b"0")
    assert f"{name} is by its hash not the file that was pushed" in refused()


def test_weights_that_were_changed_on_the_hub_are_never_downloaded(hub, pushed):
    hub.repositories["org/tiny"].commit(tree_of(hub) | {WEIGHTS: b"other weights"})
    assert f"{WEIGHTS} is not the file that sha256.json was made of" in refused()
    assert hub.downloaded() == ["sha256.json"]


def test_a_damaged_cache_is_mended_or_else_refused(hub, tiny, pushed):
    path = find_model("org/tiny") / WEIGHTS
    good = path.read_bytes()
    path.resolve().write_bytes(good[:-4] + b"oops")
    assert "not whole in the cache" in refused(local_files_only=True)
    hub.asked.clear()
    Converter.from_pretrained("org/tiny")
    assert set(hub.downloaded()) == {WEIGHTS} and path.read_bytes() == good


def test_a_download_that_breaks_off_goes_on(hub, pushed):
    hub.cut[WEIGHTS] = 2
    Converter.from_pretrained("org/tiny")
    assert hub.downloaded().count(WEIGHTS) == 3


def test_a_download_that_ends_early_is_an_error_and_leaves_nothing(hub, pushed, cache):
    hub.tampered[WEIGHTS] = tree_of(hub)[WEIGHTS][:100_000]
    assert "file should be of size" in refused(error=RunError)
    assert [path for path in cache.rglob("*") if path.name == WEIGHTS] == []
    assert list(cache.rglob("*.incomplete")) == []


def test_a_pickle_is_refused_and_one_beside_the_model_never_downloaded(hub, pushed):
    tree = tree_of(hub)
    with_pickle = tree | {"model.pt": b"x", "pytorch_model.bin": b"x", "hubconf.py": b"x"}
    hub.repositories["org/tiny"].commit(with_pickle)
    Converter.from_pretrained("org/tiny")
    assert not {"model.pt", "pytorch_model.bin", "hubconf.py"} & set(hub.downloaded())
    hub.asked.clear()
    only = {"config.yaml": tree["config.yaml"], "pytorch_model.bin": b"x", "sha256.json": b"{}"}
    hub.repositories["org/tiny"].commit(only)
    assert "weights as pytorch_model.bin only" in refused() and hub.downloaded() == []


@pytest.mark.parametrize(
    "path",
    ["../x.safetensors", "vocoder/../../x", "/etc/passwd", "a\\b.safetensors", "a\0b", "a//b",
     "./config.yaml", "a\nb", "x/" + 300 * "a", ""],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_refuses_the_repository(hub, pushed, path):
    hub.listed = [{"type": "file", "path": path, "size": 1, "oid": 40 * "0"}]
    assert "no file can be called" in refused()
    assert hub.downloaded() == []


def test_too_many_and_too_large_files_are_refused_before_a_download(hub, pushed):
    entry = {"type": "file", "path": "big.onnx", "size": 3_000_000_000, "oid": 40 * "0"}
    hub.listed = [entry]
    assert "would be 3.0 GB; at most 2 GB are fetched" in refused()
    hub.listed = [entry | {"path": f"samples/{n}.wav"} for n in range(MOST_FILES)]
    assert "lists more than 1000 files" in refused()
    assert hub.downloaded() == []


def test_an_endless_listing_is_read_no_further_than_its_limit():
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield Listed(f"{read}.txt", 1)

    with pytest.raises(InputError, match="more than 1000 files"):
        checked(endless(), "org/tiny")
    assert read == MOST_FILES + 1


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"[]", "is no list of a model's files and hashes"),
        (b"{}", "is no list of a model's files and hashes"),
        (json.dumps({"../x": 64 * "0"}).encode(), "is no list of a model's files and hashes"),
        (json.dumps({"gone.onnx": 64 * "0"}).encode(), "lacks gone.onnx, which its sha256.json"),
        (None, "has no sha256.json: it is no model of voiceconv"),
    ],
)
def test_a_manifest_that_is_none_is_refused(hub, pushed, manifest, said):
    tree = tree_of(hub)
    del tree["sha256.json"]
    hub.repositories["org/tiny"].commit(
        tree | ({} if manifest is None else {"sha256.json": manifest})
    )
    assert said in refused()


def test_who_may_not_is_told_so(hub, tiny, pushed, monkeypatch):
    hub.repositories["org/tiny"].private = True
    Converter.from_pretrained("org/tiny", token=hub.token)
    monkeypatch.delenv("HF_TOKEN")
    for name in ("org/tiny@main", "org/none"):
        said = refused(name)
        assert f"no model {name!r}: no folder here is called that" in said
        assert "or a private one; check the name, or log in by `hf auth login`" in said
    with pytest.raises(InputError, match="status 403.*your token does not allow it"):
        tiny.push_to_hub("org/new", token="hf_another")
    hub.status = 500
    assert "cannot be reached" in refused("org/none", RunError)


def test_a_hub_that_names_no_commit_is_refused(hub, pushed):
    repository = hub.repositories["org/tiny"]
    repository.commits["../../x"] = tree_of(hub)
    repository.names["main"] = "../../x"
    assert "answers '../../x', which is no commit" in refused(error=RunError)


def test_without_the_extra_the_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    said = refused("org/tiny")
    assert "no folder here is called 'org/tiny'" in said
    assert "pip install 'voiceconv[hub]'" in said


def test_push_shows_what_goes_and_asks(hub, tiny, voiceconv, tmp_path, monkeypatch):
    tiny.save_pretrained(tmp_path / "model", {"licence": "CC0-1.0"})
    (tmp_path / "model" / "notes.pkl").write_bytes(b"private")
    said = voiceconv("push", tmp_path / "model", "org/cli")
    assert said.code == 1 and "Push to org/cli?" in said.out and "org/cli" not in hub.repositories
    said = voiceconv(
        "push", tmp_path / "model", "org/cli", "--private", "--revision", "v1", "--yes"
    )
    assert said.code == 0, said.err
    repository = hub.repositories["org/cli"]
    lines = said.out.splitlines()
    assert lines[:2] == ["README.md: 0.00 MB", "config.yaml: 0.00 MB"]
    assert lines[-2:] == ["licence: CC0-1.0", f"org/cli@{repository.names['v1']}"]
    assert repository.private and list(repository.files("main")) == [".gitattributes"]
    assert "notes.pkl" not in repository.files("v1")
    assert b"license: cc0-1.0" in repository.files("v1")["README.md"]


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "../tiny", "org/tiny@v1", "a--b/c"])
def test_push_takes_no_name_that_the_hub_has_not(hub, voiceconv, name):
    said = voiceconv("push", "four-voices", name, "--yes")
    assert said.code == 2 and "is no name of a repository; write org/name" in said.err
    assert hub.asked == []


def test_push_brings_the_vocoder_that_a_model_only_names(hub, voiceconv, tmp_path):
    vocoder = find_vocoder(None)
    features = yaml.safe_load((vocoder / "config.yaml").read_text())["features"]
    neural = {"_target_": "voiceconv.vocoders.neural.NeuralVocoder", "model": vocoder.name}
    named = make_converter(CONFIG | {"features": features, "vocoder": neural})
    named.save_pretrained(tmp_path / "model", {})
    shutil.rmtree(tmp_path / "model" / "vocoder")
    config = yaml.safe_load((tmp_path / "model" / "config.yaml").read_text())
    (tmp_path / "model" / "config.yaml").write_text(yaml.safe_dump(config | {"vocoder": neural}))
    assert voiceconv("push", tmp_path / "model", "org/two", "--yes").code == 0
    files = set(json.loads(hub.repositories["org/two"].files()["sha256.json"]))
    assert {"vocoder/config.yaml", "vocoder/generator.safetensors"} < files
    assert Converter.from_pretrained("org/two").vocoder.folder.name == "vocoder"


def test_a_model_of_the_hub_is_pushed_on_with_one_front_matter(hub, pushed, voiceconv):
    assert voiceconv("push", "org/tiny", "org/next", "--yes").code == 0
    card = hub.repositories["org/next"].files()["README.md"].decode()
    assert card.count("---\n") == 2 and "--model org/next\n" in card


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_mistyped_path_in_a_folder_that_is_here_never_reaches_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp").mkdir()
    with pytest.raises(InputError, match="no model 'exp/rn'"):
        Converter.from_pretrained("exp/rn")
    assert hub.asked == []
