"""Lhotse's manifests and our data directories: there and back, and what lhotse itself makes."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, MonoCut, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import AudioSource
from lhotse.kaldi import load_kaldi_data_dir
from lhotse.qa import validate_recordings_and_supervisions
from tiny_model import make_cli

from voiceconv.data.content import read_wave
from voiceconv.data.kaldi import Utterance, read_data_dir, write_data_dir
from voiceconv.data.manifests import RECORDINGS, SUPERVISIONS, from_lhotse, to_lhotse
from voiceconv.data.prepare import prepare
from voiceconv.errors import InputError

RATE = 16000


@pytest.fixture
def sounds(tmp_path) -> dict[str, Path]:
    """2 s of noise: `mono`, `other`, and `stereo` with unlike channels."""
    rng = np.random.default_rng(0)
    made = {}
    for name, n_channels in (("mono", 1), ("other", 1), ("stereo", 2)):
        made[name] = tmp_path / f"{name}.wav"
        soundfile.write(made[name], 0.1 * rng.standard_normal((2 * RATE, n_channels)), RATE)
    return made


@pytest.fixture
def data(sounds, tmp_path) -> Path:
    """Segments, a whole recording, a channel, a mixture; with transcripts but for one."""
    write_data_dir(
        tmp_path / "data",
        [
            Utterance("ann-1", "ann", sounds["mono"], 0.25, 1.0, "how are you"),
            Utterance("ann-2", "ann", sounds["mono"], 1.0, None, "fine"),
            Utterance("bob-1", "bob", sounds["other"], text="¿qué?  two spaces"),
            Utterance("bob-2", "bob", sounds["stereo"], 0.0, 1.5, channel=1),
            Utterance("bob-3", "bob", sounds["stereo"], 0.5, 1.1234567),
        ],
    )
    return tmp_path / "data"


def tables(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def of(path: Path, *channels: int, name: str = "r", **others) -> Recording:
    source = AudioSource("file", list(channels or (0,)), str(path))
    return Recording(name, [source], RATE, 2 * RATE, 2.0, **others)


def spoken(**others) -> SupervisionSegment:
    given = {"id": "s", "recording_id": "r", "start": 0.0, "duration": 2.0, "speaker": "ann"}
    return SupervisionSegment(**{**given, **others})


def stored(folder: Path, *given: object) -> list[Path]:
    """Manifests of recordings, supervisions and cuts, a file for each kind."""
    folder.mkdir(exist_ok=True)
    paths = []
    for kind in dict.fromkeys(map(type, given)):
        path = folder / f"{kind.__name__}.jsonl.gz"
        with gzip.open(path, "wt") as file:
            for one in given:
                if type(one) is kind:
                    file.write(json.dumps(one.to_dict()) + "\n")
        paths.append(path)
    return paths


def test_a_data_directory_comes_back_as_it_was(data, tmp_path):
    assert to_lhotse(data, tmp_path / "out") == {str(tmp_path / "out"): 5}
    from_lhotse([tmp_path / "out" / RECORDINGS, tmp_path / "out" / SUPERVISIONS], tmp_path / "back")
    assert tables(tmp_path / "back") == tables(data)


def test_lhotse_validates_ours_and_loads_our_samples(data, tmp_path):
    to_lhotse(data, tmp_path / "out")
    recordings = RecordingSet.from_jsonl(tmp_path / "out" / RECORDINGS)
    supervisions = SupervisionSet.from_jsonl(tmp_path / "out" / SUPERVISIONS)
    validate_recordings_and_supervisions(recordings, supervisions, read_data=True)
    for utterance in read_data_dir(data):
        one = supervisions[utterance.id]
        theirs = recordings[one.recording_id].load_audio(one.channel, one.start, one.duration)
        if utterance.id == "bob-3":  # mixed down by a rule of ours
            assert (one.channel, theirs.shape) == ([0, 1], (2, 9975))
            continue
        np.testing.assert_array_equal(theirs[0], read_wave(utterance).samples.numpy())
    assert supervisions["bob-2"].channel == 1
    assert supervisions["ann-2"].end == 2.0


@pytest.mark.parametrize("is_segmented", [True, False])
def test_lhotses_own_import_of_a_kaldi_directory_gives_the_same(sounds, tmp_path, is_segmented):
    end = 1.0 if is_segmented else None
    write_data_dir(
        tmp_path / "data",
        [
            Utterance("ann-1", "ann", sounds["mono"], end and 0.25, end, "how are you"),
            Utterance("bob-1", "bob", sounds["other"], text="fine"),
        ],
    )
    recordings, supervisions, _ = load_kaldi_data_dir(tmp_path / "data", RATE)
    recordings.to_file(tmp_path / RECORDINGS)
    supervisions.to_file(tmp_path / SUPERVISIONS)
    from_lhotse([tmp_path / RECORDINGS, tmp_path / SUPERVISIONS], tmp_path / "back")
    assert tables(tmp_path / "back") == tables(tmp_path / "data")


def test_cuts_give_their_supervisions_in_the_time_of_the_recording(sounds, tmp_path):
    """Of a cut of lhotse's own making; what of a supervision is outside of the cut is not meant."""
    supervisions = [spoken(id="a", duration=1.0), spoken(id="b", start=1.25, duration=0.75)]
    recordings = RecordingSet.from_recordings([of(sounds["mono"])])
    (cut,) = CutSet.from_manifests(recordings, SupervisionSet.from_segments(supervisions))
    cuts = CutSet.from_cuts([cut.truncate(offset=0.5, duration=1.25)])
    cuts.to_file(tmp_path / "cuts.jsonl.gz")
    a, b = from_lhotse([tmp_path / "cuts.jsonl.gz"], tmp_path / "data")
    assert (a.id, a.start, a.end) == ("a", 0.5, 1.0)
    assert (b.id, b.start, b.end) == ("b", 1.25, 1.75)


def test_a_channel_may_be_a_file_of_its_own(sounds, tmp_path):
    sources = [AudioSource("file", [number], str(sounds[name]))
               for number, name in enumerate(("mono", "other"))]  # fmt: skip
    recording = Recording("r", sources, RATE, 2 * RATE, 2.0)
    (one,) = from_lhotse(stored(tmp_path / "m", recording, spoken(channel=1)), tmp_path / "data")
    assert (one.path, one.channel, one.start, one.end) == (sounds["other"], None, None, None)


def test_names_get_no_spaces_and_relative_paths_are_the_manifests(sounds, tmp_path):
    given = of(Path("mono.wav")), spoken(id="a b", speaker="Ann Lee", text=" hello ")
    (one,) = from_lhotse(stored(tmp_path, *given), tmp_path / "data")
    assert (one.id, one.domain, one.text) == ("a_b", "Ann_Lee", "hello")
    assert one.path == sounds["mono"]
    assert read_data_dir(tmp_path / "data") == [one]


def test_nothing_that_a_manifest_names_is_run(sounds, tmp_path):
    """Commands as sources, and as the name of a manifest, which lhotse's own reader would start."""
    mark = tmp_path / "run"
    source = AudioSource("command", [0], f"touch {mark}; cat {sounds['mono']}")
    recording = Recording("r", [source], RATE, 2 * RATE, 2.0)
    with pytest.raises(InputError, match=r"Recording.jsonl.gz:1: recording 'r' is of a command"):
        from_lhotse(stored(tmp_path / "m", recording, spoken()), tmp_path / "data")
    with pytest.raises(InputError, match="there is no pipe:"):
        from_lhotse([Path(f"pipe:touch {mark} .jsonl")], tmp_path / "data")
    assert not mark.exists()
    assert not (tmp_path / "data").exists()


def refused(sounds, name):
    """What of a manifest can't be imported."""
    plain = of(sounds["mono"])
    cut = MonoCut("c", 0.0, 2.0, 0, [spoken()], recording=plain)
    return {
        "url": (replace(plain, sources=[AudioSource("url", [0], "https://h/a.wav")]), spoken()),
        "speed": (plain.perturb_speed(1.1), spoken(recording_id="r_sp1.1", duration=1.5)),
        "rate": (replace(plain, sampling_rate=8000, num_samples=RATE), spoken()),
        "channels": (of(sounds["stereo"]), spoken()),
        "no_channel": (plain, spoken(channel=1)),
        "speaker": (plain, spoken(speaker=None)),
        "twice": (plain, spoken(), spoken()),
        "no_recording": (plain, spoken(recording_id="q")),
        "no_file": (of(sounds["mono"].with_name("none.wav")), spoken()),
        "outside": (plain, spoken(id="../s")),
        "mixed": (cut.pad(3.0),),
        "silent_cut": (replace(cut, supervisions=[]),),
        "perturbed_cut": (replace(cut, recording=plain.perturb_volume(0.5)),),
        "no_supervisions": (plain,),
    }[name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("url", r"Recording.jsonl.gz:1: recording 'r' is of a url, and only files are read"),
        ("speed", r"recording 'r_sp1.1' is changed when lhotse loads it \(Speed\)"),
        ("rate", r"recording 'r' has 8000 Hz, and .*mono.wav 16000; make the manifest"),
        ("channels", r"has the channels \[0\], and .*stereo.wav has 2"),
        ("no_channel", r"is of the channels \[1\], which are neither one channel nor all"),
        ("speaker", r"SupervisionSegment.jsonl.gz:1: supervision 's' has no speaker"),
        ("twice", r"SupervisionSegment.jsonl.gz:2: supervision 's' occurs a second time"),
        ("no_recording", r"there is no recording 'q'; give its manifest, too"),
        ("no_file", r"there is no file '.*none.wav'; mend the path"),
        ("outside", r"no file can be called '\.\./s'"),
        ("mixed", r"MixedCut.jsonl.gz:1: '.*' is a MixedCut, which is not one part of one rec"),
        ("silent_cut", r"cut 'c' has no supervision, which says who speaks"),
        ("perturbed_cut", r"is changed when lhotse loads it \(Volume\)"),
        ("no_supervisions", r"no supervision, which says who speaks when; give the manifest"),
    ],
)
def test_what_is_no_file_of_sound_with_a_speaker_is_one_sentence(sounds, tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence):
        from_lhotse(stored(tmp_path / "m", *refused(sounds, name)), tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.pt", b"\x80\x04.", "does not end in .jsonl or .jsonl.gz; write it so by `lhotse copy"),
        ("a.jsonl", b'{"id": 1,\n', r"a.jsonl:1 is no object of lhotse \(JSONDecodeError"),
        ("a.jsonl", b'\n{"id": "x"}\n', r"a.jsonl:2 is no object of lhotse \(TypeError"),
        ("a.jsonl.gz", b"\x1f\x8b\x08", "cannot read .*a.jsonl.gz"),
        ("a.jsonl", b"\xff\n", "a.jsonl:1 has the byte 0xff"),
    ],
)
def test_a_damaged_manifest_names_file_and_line(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        from_lhotse([tmp_path / name], tmp_path / "data")


def test_a_recording_that_nobody_speaks_in_is_left_out_with_a_warning(sounds, tmp_path, caplog):
    given = of(sounds["mono"]), of(sounds["other"], name="q"), spoken()
    assert len(from_lhotse(stored(tmp_path / "m", *given), tmp_path / "data")) == 1
    assert "recordings without a supervision are left out (1): q" in caplog.text


def test_the_commands_import_split_and_export(data, tmp_path, monkeypatch, capsys):
    voiceconv = make_cli(monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    assert voiceconv("data", "to-lhotse", "data", "out") == (0, "out: 5 utterances\n", "")
    given = f"out/{RECORDINGS}", f"out/{SUPERVISIONS}"
    said = voiceconv("data", "from-lhotse", *given, "back")
    assert said == (0, "back: 5 utterances of 2 domains\n", "")
    assert voiceconv("data", "from-lhotse", *given, "back").code == 2
    prepare("back", "splits", domains=["bob"], n_val=1, n_test=1)
    said = voiceconv("data", "to-lhotse", "splits", "again")
    assert said.out == "".join(f"again/{one}: 1 utterances\n" for one in ("train", "val", "test"))
    said = voiceconv("data", "from-lhotse", "back/wav.scp", "more")
    assert (said.code, said.err.count("\n")) == (2, 1)
