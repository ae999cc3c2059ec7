"""What the arguments of a command stand for, and what each file becomes."""

from pathlib import Path

import pytest

from voiceconv.commands.jobs import Job, plan
from voiceconv.errors import InputError


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def outputs(*inputs: str, output: str | None = "out/") -> dict[str, str]:
    jobs = plan(inputs, output, "high", None)
    return {str(job.path): str(job.output) for job in jobs}


def test_of_one_name_in_several_formats_each_has_an_output(caplog):
    put("in/a.wav", "in/a.flac", "in/a.mp3", "in/b.ogg", "in/sub/a.ogg")
    expected = {
        "in/a.flac": "out/a.flac.wav",
        "in/a.mp3": "out/a.mp3.wav",
        "in/a.wav": "out/a.wav",
        "in/b.ogg": "out/b.wav",
        "in/sub/a.ogg": "out/sub/a.wav",
    }
    assert outputs("in") == expected
    assert caplog.messages == [
        "another file has the same name in another format, so that an output's name keeps the "
        "extension: in/a.flac -> a.flac.wav, in/a.mp3 -> a.mp3.wav"
    ]
    assert outputs("in/a.flac", "in/a.wav", output=None) == {
        "in/a.flac": "a.flac-high.wav",
        "in/a.wav": "a-high.wav",
    }


def test_of_two_folders_a_name_is_given_once():
    put("one/a.wav", "two/a.flac")
    with pytest.raises(
        InputError, match=r"out/a\.wav would be written twice, of one/a\.wav and of"
    ):
        outputs("one", "two")


def test_the_outputs_of_one_call_are_no_inputs_of_the_next(caplog):
    put("in/a.wav")
    expected = {"in/a.wav": "in/out/a.wav"}
    assert outputs("in", output="in/out") == expected
    put("in/out/a.wav")
    assert outputs("in", output="in/out") == expected
    assert caplog.messages == ["what is in the output folder in/out is no input"]
    with pytest.raises(InputError, match=r"in/a\.wav is an input too"):
        outputs("in", output="in")


def test_messages_name_a_whole_file_or_its_part():
    assert Job(Path("in/a.wav"), "out/a.wav").source == "in/a.wav"
    assert Job(Path("call.wav"), Path("out/x-1.wav"), "x", 3.0, 9.0).source == "call.wav (x-1)"


def test_a_folder_is_walked_as_prepare_walks_it(caplog):
    put("in/a.wav", "in/._a.wav", "in/.hidden/b.wav", "elsewhere/c.wav", "in/d.m4a")
    Path("in/link").symlink_to(Path("elsewhere").resolve())
    found = outputs("in")
    found.pop("in/d.m4a", None)  # with PyAV
    assert found == {"in/a.wav": "out/a.wav", "in/link/c.wav": "out/link/c.wav"}
