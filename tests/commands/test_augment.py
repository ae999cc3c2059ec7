"""`voiceconv augment`: its tables, copies, what it keeps of an earlier call, what it refuses."""

import json
from pathlib import Path

import pytest
import soundfile
from tiny_model import MEL_CONFIG, RATE, Cli, Said, make_cli, make_converter, record, speech

from voiceconv import audio
from voiceconv.commands.augment import TABLES
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest
from voiceconv.data.kaldi import Utterance, read_data_dir, write_data_dir
from voiceconv.errors import NoRoomError
from voiceconv.provenance import CONVERSION

TEXTS = {"high-1": "one", "low-1": "one", "low-2": "two words", "zoe-1": None}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_converter(MEL_CONFIG).save_pretrained(folder, {})
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """The current directory; `data` in it has two speakers whom the model knows, and a stranger."""
    monkeypatch.chdir(tmp_path)
    utterances = []
    for name, text in TEXTS.items():
        domain, stem = name.split("-")
        pitch = {"zoe": 160.0}.get(domain, domain)
        path = record(tmp_path / "rec" / domain / f"{stem}.wav", speech(pitch, 0.2), RATE)
        utterances.append(Utterance(name, domain, path, text=text))
    write_data_dir("data", utterances)
    return tmp_path


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def augment(voiceconv, model, work):
    def call(targets: str = "high", *more: str, data: str = "data", out: str = "out") -> Said:
        return voiceconv("augment", data, out, "--targets", targets, "--model", model, *more)

    return call


def table(name: str, folder: str = "out") -> list[str]:
    return (Path(folder) / name).read_text().splitlines()


def copies(out: str = "out") -> list[str]:
    return sorted(str(path.relative_to(out)) for path in Path(out).rglob("*.wav"))


def test_the_tables(augment, work, model):
    """Every utterance where it is, a copy in each target but its own, texts and speakers."""
    said = augment("high,low")
    assert said == (0, "out: 4 utterances, 5 converted copies\n", "")
    assert table("wav.scp") == [
        f"as-high-low-1 {work}/out/wav/high/low-1.wav",
        f"as-high-low-2 {work}/out/wav/high/low-2.wav",
        f"as-high-zoe-1 {work}/out/wav/high/zoe-1.wav",
        f"as-low-high-1 {work}/out/wav/low/high-1.wav",
        f"as-low-zoe-1 {work}/out/wav/low/zoe-1.wav",
        f"high-1 {work}/rec/high/1.wav",
        f"low-1 {work}/rec/low/1.wav",
        f"low-2 {work}/rec/low/2.wav",
        f"zoe-1 {work}/rec/zoe/1.wav",
    ]
    assert table("utt2spk") == [
        "as-high-low-1 as-high-low",
        "as-high-low-2 as-high-low",
        "as-high-zoe-1 as-high-zoe",
        "as-low-high-1 as-low-high",
        "as-low-zoe-1 as-low-zoe",
        "high-1 high",
        "low-1 low",
        "low-2 low",
        "zoe-1 zoe",
    ]
    assert table("spk2utt") == [
        "as-high-low as-high-low-1 as-high-low-2",
        "as-high-zoe as-high-zoe-1",
        "as-low-high as-low-high-1",
        "as-low-zoe as-low-zoe-1",
        "high high-1",
        "low low-1 low-2",
        "zoe zoe-1",
    ]
    assert table("text") == [
        "as-high-low-1 one",
        "as-high-low-2 two words",
        "as-low-high-1 one",
        "high-1 one",
        "low-1 one",
        "low-2 two words",
    ]
    assert not Path("out/segments").exists()
    assert all(soundfile.info(f"out/{name}").frames == 0.2 * RATE for name in copies())
    (note,) = json.loads(Path("out", CONVERSION).read_text())
    assert (note["model"], note["sha256"]) == (str(model), digest(model))
    assert (note["targets"], note["strength"]) == (["high", "low"], None)
    (note,) = json.loads(Path("out/wav/high", CONVERSION).read_text())
    assert (note["sha256"], note["target"]) == (digest(model), "high")


def test_kaldi_finds_utterances_in_the_order_of_their_speakers(augment):
    """utils/validate_data_dir.sh: utt2spk is sorted, and sorted by its second field, too."""
    assert augment("low,high").code == 0
    lines = table("utt2spk")
    assert lines == sorted(lines)
    assert lines == sorted(lines, key=lambda line: (line.split()[1], line))
    assert len(read_data_dir("out")) == 9


def test_a_copy_is_what_convert_makes(augment, voiceconv, model):
    """A speaker whom the model knows is the source; a stranger is a stranger."""
    assert augment("high").code == 0
    for name, source in (("low/2", ["--source", "low"]), ("zoe/1", [])):
        told = ("--target", "high", "--model", model, *source)
        assert voiceconv("convert", f"rec/{name}.wav", "-o", "one.wav", *told).code == 0
        copy = Path("out/wav/high", f"{name.replace('/', '-')}.wav")
        assert copy.read_bytes() == Path("one.wav").read_bytes()


def test_of_chosen_sources_only(augment):
    assert augment("high,low", "--source-domains", "zoe,low").code == 0
    copied = ["as-high-low-1", "as-high-low-2", "as-high-zoe-1", "as-low-zoe-1"]
    assert [line.split()[0] for line in table("utt2spk")] == [*copied, *TEXTS]


def test_a_segment_becomes_a_file(augment, work):
    for name in ("low-a", "low-b"):
        record(work / f"{name}.wav", speech("low", 1.0, seed=1), RATE)
    (work / "cut").mkdir()
    (work / "cut/wav.scp").write_text("a low-a.wav\nb low-b.wav\n")
    (work / "cut/segments").write_text("low-1 a 0.25 0.5\nlow-2 a 0.5 -1\nlow-3 b 0.0 0.75\n")
    (work / "cut/utt2spk").write_text("low-1 low\nlow-2 low\nlow-3 low\n")
    assert augment(data="cut").code == 0
    assert table("wav.scp") == [
        *(f"as-high-low-{n} {work}/out/wav/high/low-{n}.wav" for n in (1, 2, 3)),
        f"low-1 {work}/low-a.wav",
        f"low-3 {work}/low-b.wav",
    ]
    assert table("segments") == [
        *(f"as-high-low-{n} as-high-low-{n} 0.0 -1" for n in (1, 2, 3)),
        "low-1 low-1 0.25 0.5",
        "low-2 low-1 0.5 -1",
        "low-3 low-3 0.0 0.75",
    ]
    found = {one.id: one for one in read_data_dir("out")}
    for stem, n_samples in (("1", 4000), ("2", 8000), ("3", 12000)):
        for name in (f"low-{stem}", f"as-high-low-{stem}"):
            one = found[name]
            wave = audio.read(one.path, RATE, one.start or 0.0, one.end).samples
            assert len(wave) == n_samples


def test_only_what_is_missing_is_made_anew(augment):
    assert augment("high,low").code == 0
    before = {name: table(name) for name in ("wav.scp", "utt2spk", "spk2utt", "text")}
    lost = Path("out/wav/low/zoe-1.wav")
    made = lost.read_bytes()
    lost.unlink()
    for name in copies():
        Path("out", name).write_bytes(b"mine")
    assert augment("high,low").code == 0
    assert lost.read_bytes() == made
    assert [Path("out", name).read_bytes() for name in copies()].count(b"mine") == 4
    assert {name: table(name) for name in before} == before


def test_an_interruption_leaves_no_tables_and_the_next_call_goes_on(augment, monkeypatch):
    converted, convert = [], Converter.convert

    def interrupted(self, *arguments, **keywords):
        if len(converted) == 2:
            raise KeyboardInterrupt
        converted.append(keywords["name"])
        return convert(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Converter, "convert", interrupted)
        assert augment("high,low").code == 130
    assert copies() == ["wav/high/low-1.wav", "wav/high/low-2.wav"]
    assert Path("out", CONVERSION).exists()
    assert not any(Path("out", name).exists() for name in TABLES)
    for name in copies():
        Path("out", name).write_bytes(b"mine")
    assert augment("high,low").out == "out: 4 utterances, 5 converted copies\n"
    assert Path("out/wav/high/low-2.wav").read_bytes() == b"mine"
    assert len(table("wav.scp")) == 9


def test_a_bad_recording_is_named_and_the_others_have_their_copies(augment, work):
    (work / "rec/low/1.wav").write_bytes(b"")
    said = augment("high,low")
    assert said.code == 1
    named, last = said.err.splitlines()
    assert (
        named == f"voiceconv: {work}/rec/low/1.wav is empty (0 bytes); give a file that holds sound"
    )
    assert last == (
        f"voiceconv: error: high: 1 of 3 inputs were not converted: {work}/rec/low/1.wav; see above"
    )
    speakers = dict(line.split() for line in table("utt2spk"))
    assert len(speakers) == 4 + 4 and "as-high-low-1" not in speakers
    record(work / "rec/low/1.wav", speech("low", 0.2), RATE)
    assert augment("high,low").code == 0
    assert "as-high-low-1 as-high-low" in table("utt2spk")


def test_a_full_disk_ends_it_at_once(augment, monkeypatch):
    def full(*arguments, **keywords):
        raise NoRoomError("cannot write x: No space left on device; make room")

    monkeypatch.setattr(Converter, "convert", full)
    said = augment("high,low")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert not any(Path("out", name).exists() for name in TABLES)


def test_another_target_is_added(augment):
    assert augment("high").code == 0
    Path("out/wav/high/low-1.wav").write_bytes(b"mine")
    assert augment("low,high").code == 0
    assert Path("out/wav/high/low-1.wav").read_bytes() == b"mine"
    assert len(table("wav.scp")) == 9


@pytest.mark.parametrize(
    ("arguments", "places", "sentence"),
    [
        (["high,x"], {}, "no target 'x': this model knows high, low"),
        ([","], {}, "--targets names none; write --targets A,B"),
        (["high", "--strength", "0.5"], {}, "no condition 'strength': this model takes none"),
        (["high", "--source-domains", "zoe,x"], {}, "no domain 'x' in data: it has high, low, zoe"),
        (["high"], {"data": "rec"}, "rec has no wav.scp; name a Kaldi data directory, such as"),
        (["high"], {"out": "data"}, "data lies in the source data; choose a folder outside of it"),
        (["high"], {"out": "data/x"}, "data/x lies in the source data; choose a folder outside"),
        (["high"], {"out": "rec"}, "cannot write rec: it is there already; choose another place"),
        (["high"], {"out": "rec/low/1.wav"}, "cannot write rec/low/1.wav: it is there already"),
        (
            ["high"],
            {"data": "own"},
            "all that would be converted is high's own; name another target",
        ),
        (
            ["high"],
            {"data": "twice"},
            "'as-high-low-1' is an utterance already, and a copy's name; rename",
        ),
    ],
)
def test_refusals(augment, work, arguments, places, sentence):
    """Exit code 2, and nothing is written."""
    utterances = {one.id: one for one in read_data_dir("data")}
    write_data_dir("own", [utterances["high-1"]])
    copy = Utterance("as-high-low-1", "as-high-low", work / "rec/low/1.wav")
    write_data_dir("twice", [utterances["low-1"], copy])
    before = sorted(work.rglob("*"))
    said = augment(*arguments, **places)
    assert said.code == 2
    assert said.err.startswith(f"voiceconv: error: {sentence}")
    assert sorted(work.rglob("*")) == before


def test_copies_of_another_model_or_of_other_recordings_are_not_taken_for_these(
    augment, voiceconv, work
):
    assert augment("high").code == 0
    make_converter(MEL_CONFIG | {"loudness": -20.0}).save_pretrained("other", {})
    write_data_dir("less", read_data_dir("data")[:2])
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    said = voiceconv("augment", "data", "out", "--targets", "high", "--model", "other")
    assert said.code == 2
    assert said.err == (
        "voiceconv: error: out has copies of other recordings, or of another model or strength; "
        "give the same as before, or choose another place\n"
    )
    assert augment("high", data="less").err == said.err
    assert before == {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}


def test_a_baseline_converts_too(voiceconv, work):
    """By the bundled model's statistics, and without a network."""
    arguments = ("augment", "data", "out", "--model", "baseline:statistics")
    assert voiceconv(*arguments, "--targets", "kathleen").code == 0
    assert len(table("utt2spk")) == 4 + 4
    assert voiceconv(*arguments, "--targets", "kathleen").code == 0
