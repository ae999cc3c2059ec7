"""The one walk of folders: which files it finds, and what it says of the others."""

from pathlib import Path

import pytest

from voiceconv.data import content
from voiceconv.data.content import content_files, domain_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sound = ("b.wav", "a.FLAC", "sub/c.ogg", "x.wav/d.mp3", "out/b.wav")
    hidden = ("._b.wav", ".git/e.wav", "sub/@eaDir/f.wav")
    for name in (*sound, *hidden, "notes.txt", "video.mkv", "sub/talk.m4a"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/g.wav").touch()
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/up").symlink_to(tmp_path / "in")
    return tmp_path / "in"


def names(folder: Path, paths: list[Path]) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


@pytest.mark.parametrize("av", [None, "a module"])
def test_links_are_followed_and_hidden_files_are_not_found(folder, monkeypatch, caplog, av):
    monkeypatch.setattr(content, "find_spec", lambda name: av)
    found = ["a.FLAC", "b.wav", "link/g.wav", "out/b.wav", "sub/c.ogg", "x.wav/d.mp3"]
    media = ["sub/talk.m4a", "video.mkv"] if av else []
    assert sorted(names(folder, content_files(folder))) == sorted(found + media)
    said = [record.getMessage() for record in caplog.records]
    assert [": video.mkv, " in one.replace(f"{folder}/", "") for one in said] == [True][: not av]


def test_the_output_folder_is_no_input(folder, caplog):
    (folder / "out/notes.txt").touch()
    assert names(folder, content_files(folder, {".txt"}, folder / "out")) == ["notes.txt"]
    assert caplog.messages == [f"what is in the output folder {folder}/out is no input"]
    caplog.clear()
    assert names(folder, content_files(folder, {".txt"}, folder)) == ["notes.txt", "out/notes.txt"]
    assert not caplog.messages


def test_other_features_have_other_files(folder, caplog):
    assert names(folder, content_files(folder, {".txt"})) == ["notes.txt"]
    assert not caplog.messages  # a video is nothing that a piano roll could be read of


def test_a_folder_that_may_not_be_listed_is_named(folder, monkeypatch, caplog):
    walk = content.os.walk

    def refusing(top, onerror, **options):
        onerror(PermissionError(13, "Permission denied", str(folder / "secret")))
        return walk(top, onerror=onerror, **options)

    monkeypatch.setattr(content.os, "walk", refusing)
    content_files(folder, {".txt"})
    assert caplog.messages == [
        "folders are passed over, since there is no permission to list them (1): "
        f"{folder}/secret; chmod them or run as their owner"
    ]


def test_domains_are_folders_with_something_to_read(folder, caplog):
    found = domain_files(folder, {".wav"}, lambda one: one.name != "out")
    assert {one.name: names(folder, paths) for one, paths in found.items()} == {
        "link": ["link/g.wav"],
        "up": ["up/b.wav", "up/link/g.wav", "up/out/b.wav"],
    }
