"""The shell recipes: options, each corpus's layout, and the toy corpus from nothing to scores."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import fake_synth
import mido
import numpy as np
import pytest
import soundfile
from tiny_model import record, speech

from voiceconv.build import build
from voiceconv.commands.choices import composed
from voiceconv.converter.directory import digest
from voiceconv.features import FeatureExtractor
from voiceconv.runs.settings import CONVERTER, STUDENT, VOCODER, check_settings

ROOT = Path(__file__).parents[1]
EGS = sorted(path.parent for path in ROOT.glob("egs/*/*/run.sh"))
RECIPES = """cmu_arctic/vc1 midi/genre1 midi_timbre/vc1 rhasspy/any1 rhasspy/live1 rhasspy/voc1
rhasspy_nl/aug1 rhasspy_nl/vc1 rhasspy_nl/vc2 toy/vc1 toy/voc1 vcc2018/vc1 vctk/vc1""".split()
OF_CONVERTER = "data extract stats train convert evaluate listen"
STAGES = {
    "vc": OF_CONVERTER,
    "any": OF_CONVERTER,
    "voc": "data extract train copy evaluate",
    "aug": "data augment recognise",
    "live": "data extract pairs train export",
    "genre": "data extract stats classify train score convert",
}
EXP = "exp/lr=1, {ü} it's"  # much of it means something to Hydra
ROOTS = {
    "vc": ("config", CONVERTER),
    "any": ("config", CONVERTER),
    "voc": ("train_vocoder", VOCODER),
    "live": ("train_student", STUDENT),
}


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def kind_of(folder: Path) -> str:
    return folder.name.rstrip("0123456789")


OPTIONS_SCRIPT = """
set -euo pipefail
stage=1; train_options=""; strict=false; hidden=no
help_message="usage: x --stage N --train-options STR --strict true|false"
. "$1"/recipes/parse_options.sh
"""


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with this Python's voiceconv first on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, env=environment
    )


def parse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Parse arguments by recipes/parse_options.sh; prints stage|train_options|strict|PATH|rest."""
    show = 'echo "$stage|$train_options|$strict|${path-}|$*"'
    script = OPTIONS_SCRIPT.replace('. "$1"/', f'. "{ROOT}"/') + show
    return run("bash", "-c", script, "x.sh", *arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "1||false||"),
        (["--stage", "3"], "3||false||"),
        (["--stage=3", "--strict=true"], "3||true||"),
        (["--train-options", "trainer.steps=5 seed=1"], "1|trainer.steps=5 seed=1|false||"),
        (["--train-options=trainer.steps=5"], "1|trainer.steps=5|false||"),
        (["--train_options=a"], None),
        (["--train-options", "", "--stage", "2", "data", "--stage"], "2||false||data --stage"),
        (["--stage", "2", "--", "--stage"], "2||false||--stage"),
        (["--train-options", "$(exit 7) `id` ; '\""], "1|$(exit 7) `id` ; '\"|false||"),
    ],
)
def test_options_set_variables(arguments, expected):
    result = parse(*arguments)
    if expected is None:
        assert result.returncode == 2
    else:
        assert (result.returncode, result.stdout, result.stderr) == (0, expected + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stages", "3"], "unknown option '--stages'"),
        (["--stag", "3"], "unknown option '--stag'"),
        (["--path=/x"], "unknown option '--path'"),
        (["--PATH", "/x"], "unknown option '--PATH'"),
        (["--hidden", "yes"], "unknown option '--hidden'"),
        (["--train.options", "3"], "unknown option '--train.options'"),
        (["-s", "3"], "unknown option '-s'"),
        (["--stage"], "option --stage needs a value"),
        (["--stage", "two"], "option --stage takes a whole number, not 'two'"),
        (["--stage="], "option --stage takes a whole number, not ''"),
        (["--strict", "yes"], "option --strict takes true or false, not 'yes'"),
    ],
)
def test_wrong_options_exit_2_with_the_usage(arguments, sentence):
    result = parse(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"x.sh: error: {sentence}")
    assert "usage: x --stage N" in result.stderr


def test_the_recipes_are_the_ones_tested_here():
    assert list(map(name_of, EGS)) == RECIPES


@pytest.mark.parametrize("folder", EGS, ids=name_of)
def test_run_sh(folder, tmp_path):
    """--help says every stage from any folder; a wrong option is 2 and nothing is made."""
    result = run(folder / "run.sh", "--help", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for number, name in enumerate(STAGES[kind_of(folder)].split(), start=1):
        assert f"  {number} {name} " in result.stdout
    result = run(folder / "run.sh", "--stage", "1", "--nosuch", "x", cwd=tmp_path)
    assert result.returncode == 2 and "unknown option '--nosuch'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_override_that_training_would_refuse_ends_a_recipe_before_its_first_stage(tmp_path):
    wrong = ["--train-options", "trainer.n_steps=9 trainer.gradient_clip=0"]
    places = ["--data", "data", "--dump", "dump", "--exp", "exp"]
    result = run(ROOT / "egs/toy/vc1/run.sh", *wrong, *places, cwd=tmp_path)
    sentence = "trainer.gradient_clip is 0; it takes a number, above 0, or null"
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"voiceconv: error: {sentence}\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("folder", [one for one in EGS if kind_of(one) in ROOTS], ids=name_of)
def test_the_experiment_of_a_recipe_composes_and_names_its_data(folder):
    words = (folder / "run.sh").read_text().split()
    name = words[words.index("--experiment") + 1]
    assert (folder / "conf/experiment" / f"{name}.yaml").is_file()
    root, schema = ROOTS[kind_of(folder)]
    config = composed([f"experiment={name}"], folder / "conf", root)
    check_settings(config, schema)
    build(config.features, FeatureExtractor)
    assert config.card.data and config.card.licence


SENDS = """
set -euo pipefail
program=$0; recipes={recipes}; jobs=2; stage=1; stop_stage=3; experiment=x
data="" dump="" exp="" paths="exp"
help_message="usage: --jobs N --nj N --cmd STR --executor NAME --scheduler ADDRESS --exp DIR"
. "$recipes/stages.sh"
for line in only; do send greet printf '%s|' 'two words' "['11','12']" "$jobs"; done < /dev/null
spread extract echo voiceconv extract ${{local_jobs[@]+"${{local_jobs[@]}}"}}
"""
# A prefix, or as Kaldi's: joins its words, those with a space in double quotes, for a shell.
FAKE = """#!/bin/bash
echo "$0 $*" >> {called}
[ "$1" = --mem ] && shift 2
case $0 in *.pl) log=$1; shift ;; *) exec "$@" ;; esac
for word; do case $word in *[[:space:]]*) line+="\\"$word\\" " ;; *) line+="$word " ;; esac; done
exec bash -c "$line" > "$log"
"""


@pytest.fixture
def sends(tmp_path):
    """A recipe of two commands, and what becomes of it: (result, calls of a fake queue, a log)."""
    (tmp_path / "local").mkdir()
    for path, text in (
        ("local/data.sh", "#!/bin/sh"),
        ("run.sh", SENDS.format(recipes=ROOT / "recipes")),
        ("slurm.pl", FAKE.format(called=tmp_path / "called")),
        ("srun", FAKE.format(called=tmp_path / "called")),
    ):
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)

    def call(*options: str):
        result = run("bash", tmp_path / "run.sh", "--exp", "exp", *options, cwd=tmp_path)
        called, log = tmp_path / "called", tmp_path / "exp/log/greet.log"
        calls = called.read_text().splitlines() if called.exists() else []
        return result, calls, log.read_text() if log.exists() else ""

    return call


def test_a_stage_runs_by_a_prefix_or_by_kaldis_queue(sends, tmp_path):
    said = "two words|['11','12']|"
    result, calls, log = sends()
    assert result.stdout == f"{said}2|voiceconv extract\n" and not calls  # its own default
    assert log.endswith(f"{said}2|")
    assert sends("--jobs=2")[0].stdout == f"{said}2|voiceconv extract --jobs 2\n"
    result, calls, log = sends("--cmd", f"{tmp_path}/srun --mem 4G", "--nj", "5")
    assert result.stdout == f"{said}5|voiceconv extract --jobs 5\n"
    assert calls[0] == f"{tmp_path}/srun --mem 4G printf %s| two words ['11','12'] 5"
    assert len(calls) == 2
    result, calls, log = sends("--cmd", f"{tmp_path}/slurm.pl --mem 4G")
    assert (result.returncode, result.stdout, log) == (0, "", f"{said}2|")
    name = f"{tmp_path}/exp/log/greet"
    assert calls[2] == f"{tmp_path}/slurm.pl --mem 4G {name}.log bash {name}.sh"
    result, *_ = sends("--cmd", "false.pl")
    assert result.returncode == 1 and "error: greet failed; see" in result.stderr


def test_a_stage_goes_to_a_cluster(sends):
    of = {
        ("--executor", "dask", "--scheduler", "tcp://a:1"): "--executor dask --scheduler tcp://a:1",
        ("--executor", "slurm", "--nj", "9"): "--executor slurm --jobs 9",
    }
    for options, words in of.items():
        result, calls, _ = sends(*options, "--cmd", "")
        assert result.stdout.endswith(f"|voiceconv extract {words}\n") and not calls
    for options, sentence in (
        (("--executor", "dask"), "--executor dask needs --scheduler ADDRESS"),
        (("--scheduler", "tcp://a:1"), "--scheduler tcp://a:1 is for --executor dask"),
        (("--executor", "ray"), "--executor ray: choose from local, dask, slurm, sge"),
        (("--nj", "many"), "option --nj takes a whole number, not 'many'"),
    ):
        result, *_ = sends(*options)
        assert result.returncode == 2 and sentence in result.stderr


def recordings(folder: Path, names: Iterable[str], sample_rate: int = 16000) -> None:
    """Write one second of noise under each name: the same bytes, hard links of one file."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(names)
    rng = np.random.default_rng(0)
    soundfile.write(folder / names[0], 0.1 * rng.standard_normal(sample_rate), sample_rate)
    for name in names[1:]:
        (folder / name).hardlink_to(folder / names[0])


def rhasspy_lists() -> dict[str, dict[str, list[str]]]:
    """Speaker -> split -> ids of the lists that the recipe ships."""
    folder = ROOT / "egs/rhasspy_nl/vc1/local/splits"
    return {
        speaker: {
            split: (folder / f"{speaker}.{split}").read_text().split()
            for split in ("train", "val", "test", "paired")
        }
        for speaker in ("nathalie", "flemishguy")
    }


def make_rhasspy_folders(corpus: Path) -> None:
    for speaker, lists in rhasspy_lists().items():
        recordings(corpus / speaker, [f"{i}.flac" for i in sum(lists.values(), [])], 24000)


def make_rhasspy_clones(corpus: Path) -> None:
    """nathalie: verified/nl_rhasspy_1.flac; flemishguy: nl_rhasspy_1_1602428193.wav at the top."""
    lists = {speaker: sum(splits.values(), []) for speaker, splits in rhasspy_lists().items()}
    numbers = {speaker: [int(i.removeprefix("nl_")) for i in ids] for speaker, ids in lists.items()}
    folder = corpus / "dataset-voice-nathalie"
    recordings(folder / "verified", [f"nl_rhasspy_{n}.flac" for n in numbers["nathalie"]], 48000)
    (folder / "metadata.csv").write_text("nl_rhasspy_5|bleek ze\n")
    (folder / "audio").mkdir()
    (folder / "audio/nl_rhasspy_1.webm").write_bytes(b"\x1aE\xdf\xa3")
    folder = corpus / "dataset-voice-flemishguy"
    recordings(folder, [f"nl_rhasspy_{n}_1602428193.wav" for n in numbers["flemishguy"]], 24000)
    (folder / "metadata.csv").write_text("nl_rhasspy_5_1602428193|Bleek ze klein?\n")
    (folder / "README.md").write_text("# Voice Dataset (flemishguy)\n")


def make_vcc2018(corpus: Path) -> None:
    for speaker, first in (("VCC2SF1", 10001), ("VCC2SF3", 20001), ("VCC2TF1", 10001)):
        names = [f"{number}.wav" for number in range(first, first + 81)]
        recordings(corpus / "vcc2018_training" / speaker, names, 22050)
        part = "reference" if "T" in speaker[4:] else "evaluation"
        names = [f"{number}.wav" for number in range(30001, 30036)]
        recordings(corpus / f"vcc2018_{part}" / speaker, names, 22050)


def make_vctk(corpus: Path) -> None:
    for speaker, last in (("p225", 40), ("p226", 60), ("s5", 30)):
        names = [
            f"{speaker}_{number:03d}_mic{microphone}.flac"
            for number in range(1, last + 1)
            for microphone in (1, 2)
        ]
        recordings(corpus / "wav48_silence_trimmed" / speaker, names, 48000)
    (corpus / "speaker-info.txt").write_text("ID  AGE  GENDER\n")


def make_cmu_arctic(corpus: Path) -> None:
    names = [f"arctic_a{number:04d}.wav" for number in range(570, 594)]
    names += [f"arctic_b{number:04d}.wav" for number in range(470, 540)]
    for speaker in ("bdl", "slt"):
        recordings(corpus / f"cmu_us_{speaker}_arctic" / "wav", names, 16000)


def prepared(data: Path) -> dict[str, dict[str, list[str]]]:
    """Domain -> split -> stems of a prepared data directory, whose recordings must exist."""
    found: dict[str, dict[str, list[str]]] = {}
    for split in sorted(folder.parent.name for folder in data.glob("*/wav.scp")):
        paths = dict(line.split(" ", 1) for line in (data / split / "wav.scp").open())
        for line in (data / split / "utt2spk").open():
            utterance, domain = line.split()
            assert Path(paths[utterance].strip()).is_file()
            stem = utterance.removeprefix(f"{domain}-")
            found.setdefault(domain, {}).setdefault(split, []).append(stem)
    return found


def stage_1(corpus_name: str, tmp_path: Path, *options: str | Path):
    """Run stage 1 of a recipe into tmp_path; returns what it prepared."""
    command = [ROOT / "egs" / corpus_name / "vc1" / "run.sh", "--stop-stage", "1", *options]
    result = run(*command, "--data", "data", "--exp", "exp", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    return prepared(tmp_path / "data")


@pytest.mark.parametrize("make", [make_rhasspy_folders, make_rhasspy_clones])
def test_rhasspy_nl(make, tmp_path):
    make(tmp_path / "corpus")
    found = stage_1("rhasspy_nl", tmp_path, "--corpus", "corpus")
    assert found == {
        speaker: {split: sorted(ids) for split, ids in lists.items()}
        for speaker, lists in rhasspy_lists().items()
    }
    for split in ("val", "test", "paired"):
        assert found["nathalie"][split] == found["flemishguy"][split]
    assert not set(found["nathalie"]["train"]) & set(found["flemishguy"]["train"])


def test_rhasspy_nl_takes_the_later_of_two_takes(tmp_path):
    make_rhasspy_clones(tmp_path / "corpus")
    again = tmp_path / "corpus/dataset-voice-flemishguy/nl_rhasspy_5_1602999999.wav"
    again.write_bytes((again.parent / "nl_rhasspy_5_1602428193.wav").read_bytes())
    stage_1("rhasspy_nl", tmp_path, "--corpus", "corpus")
    link = tmp_path / "data/local/wav/flemishguy/nl_0005.wav"
    assert link.resolve() == again.resolve()
    transcripts = (tmp_path / "data/test/text").read_text().splitlines()
    assert transcripts == ["flemishguy-nl_0005 Bleek ze klein?", "nathalie-nl_0005 bleek ze"]


def test_vcc2018(tmp_path):
    make_vcc2018(tmp_path / "corpus")
    found = stage_1("vcc2018", tmp_path, f"--corpus={tmp_path}/corpus")
    test = [str(number) for number in range(30001, 30036)]
    assert found["VCC2SF3"] == {
        "train": [str(number) for number in range(20001, 20077)],
        "val": [str(number) for number in range(20077, 20082)],
        "test": test,
    }
    assert found["VCC2TF1"]["train"] == [str(number) for number in range(10001, 10077)]
    assert found["VCC2TF1"]["test"] == test
    assert set(found) == {"VCC2SF3", "VCC2TF1"}


def test_vcc2018_other_speakers(tmp_path):
    make_vcc2018(tmp_path / "corpus")
    options = ("--corpus", tmp_path / "corpus", "--domains", "VCC2SF1 VCC2TF1")
    assert set(stage_1("vcc2018", tmp_path, *options)) == {"VCC2SF1", "VCC2TF1"}


def test_vctk(tmp_path):
    make_vctk(tmp_path / "corpus")
    found = stage_1("vctk", tmp_path, "--corpus", "corpus")
    assert found["p225"] == {
        "train": [f"{number:03d}" for number in range(25, 41)],
        "val": ["001", "002", "003", "004"],
        "test": [f"{number:03d}" for number in range(5, 25)],
    }
    assert found["p226"]["train"][-1] == "060"
    assert (tmp_path / "data/local/wav/p225/005.flac").resolve().name == "p225_005_mic1.flac"


def test_cmu_arctic(tmp_path):
    make_cmu_arctic(tmp_path / "corpus")
    found = stage_1("cmu_arctic", tmp_path, "--corpus", "corpus")
    for domain in ("bdl", "slt"):
        assert found[domain]["test"] == [f"arctic_b{number:04d}" for number in range(500, 540)]
        assert found[domain]["val"] == [f"arctic_b{number:04d}" for number in range(480, 500)]
    train = [set(found[domain]["train"]) for domain in ("bdl", "slt")]
    assert not train[0] & train[1]
    assert len(train[0] | train[1]) == 24 + 10


def write_song(path: Path, rng: np.random.Generator, steps: list[int]) -> None:
    """Eight bars of eighths on a scale."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    for pitch in 60 + rng.choice(steps, 64):
        track.append(mido.Message("note_on", note=int(pitch), velocity=80))
        track.append(mido.Message("note_off", note=int(pitch), time=240))
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


@pytest.mark.slow
def test_instruments_play_songs_of_their_own_and_the_same_in_the_test(tmp_path, monkeypatch):
    fake_synth.install(tmp_path / "bin", monkeypatch)
    rng = np.random.default_rng(0)
    for number in range(13):
        write_song(tmp_path / f"corpus/{number % 2}/{number:02d}.mid", rng, [0, 2, 4])
    found = stage_1("midi_timbre", tmp_path, "--corpus", "corpus", "--domains", "oboe cello")
    kinds = ("chords", "line")
    for (
        instrument
    ) in found.values():  # corpus/0 comes first: 00 02 04 06 08 10 12 01 03 05 07 09 11
        assert instrument["test"] == [f"{song}-{kind}" for song in ("00", "07") for kind in kinds]
        assert instrument["val"] == [f"{song}-{kind}" for song in ("02", "09") for kind in kinds]
    train = [set(instrument["train"]) for instrument in found.values()]
    assert [len(one) for one in train] == [8, 10] and not train[0] & train[1]


@pytest.mark.slow
def test_genres_from_files_to_songs(tmp_path):
    """Every stage of the recipe; two steps of training teach nothing, so only what is written."""
    rng = np.random.default_rng(0)
    for genre, steps in (("folk", [0, 2, 4, 5, 7]), ("pop", [1, 3, 6, 8, 10])):
        for number in range(8):
            name = f"{genre}{number}"
            place = name if genre == "folk" else f"{name}/{name}"
            write_song(tmp_path / f"corpus/{genre}/{place}.mid", rng, steps)
            write_song(tmp_path / f"corpus/{genre}/{name}/versions/{name}-v1.mid", rng, steps)
    sizes = "translator.generator.base_channels=4 translator.generator.n_residual_blocks=1"
    small = f"{sizes} discriminator.base_channels=4 trainer.n_steps=2 trainer.validate_every=0"
    places = ("--data", "data", "--dump", "dump", "--exp", EXP, "--jobs", "1")
    result = run(
        ROOT / "egs/midi/genre1/run.sh", "--corpus", "corpus", *places, "--n-songs", "1",
        "--classifier-steps", "20", "--train-options", f"{small} trainer.ship=last", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    found = prepared(tmp_path / "data")
    assert {genre: sum(map(len, some.values())) for genre, some in found.items()} == {
        "folk": 8,
        "pop": 8,
    }
    exp = tmp_path / EXP
    rows = json.loads((exp / "scores.json").read_text())
    systems = ["copy", "transposition", "nearest phrase", exp.name]
    assert [row["system"] for row in rows[::2]] == systems
    text = (exp / "RESULTS.md").read_text()
    assert "- noise 0.5: " in text and text.count(f"| {exp.name} |") == 2 * 2
    songs = sorted(path.parent.name for path in (exp / "songs").rglob("*.mid"))
    assert songs == ["folk-pop", "pop-folk"]


@pytest.mark.parametrize(
    ("corpus_name", "sentence"),
    [
        ("rhasspy_nl", "neither"),
        ("vcc2018", "no train utterances of VCC2SF3"),
        ("vctk", "no train utterances of p225"),
        ("cmu_arctic", "no train utterances of bdl"),
    ],
)
def test_a_wrong_corpus_folder_is_named(corpus_name, sentence, tmp_path):
    (tmp_path / "corpus").mkdir()
    script = ROOT / "egs" / corpus_name / "vc1" / "run.sh"
    options = ["--corpus", "corpus", "--data", "data", "--exp", "exp"]
    result = run(script, *options, cwd=tmp_path)
    assert result.returncode == 1
    assert f"data.sh: error: {sentence}" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        f"run.sh: error: data failed; see {tmp_path}/exp/log/data.log"
    )
    assert "data.sh: error: " in (tmp_path / "exp/log/data.log").read_text()


def test_rhasspy_voices_of_a_vocoder(tmp_path):
    """Three lists of each voice; a voice that is not there is named with its address."""
    folder = ROOT / "egs/rhasspy/voc1/local/splits"
    lists = {path.name: path.read_text().split() for path in folder.iterdir()}
    recordings(tmp_path / "corpus/kerstin", [f"{i}.flac" for n, ids in lists.items()
               if n.startswith("kerstin.") for i in ids], 24000)  # fmt: skip
    script = ROOT / "egs/rhasspy/voc1/run.sh"
    options = ["--corpus", "corpus", "--stop-stage", "1", "--data", "data", "--exp", "exp"]
    recordings(tmp_path / "corpus/music", [f"{i:02d}.wav" for i in range(21)], 24000)
    result = run(script, *options, "--domains", "kerstin music", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    music = prepared(tmp_path / "data")["music"]
    assert (music["test"], music["val"]) == (["00", "10", "20"], ["01", "11"])
    assert len(music["train"]) == 16
    found = prepared(tmp_path / "data")["kerstin"]
    assert {split: len(ids) for split, ids in found.items()} == {
        "train": 181,
        "val": 20,
        "test": 40,
    }
    result = run(script, *options, cwd=tmp_path)
    assert result.returncode == 1
    assert f"there is no {tmp_path}/corpus/nathalie: get the recordings from " in result.stdout
    assert "https://github.com/rhasspy/dataset-voice-nathalie, " in result.stdout


def test_synthetic_voices_say_the_targets_train_sentences(tmp_path, monkeypatch):
    """Under the same stems, by turns, and only those that are for training."""
    folder = ROOT / "egs/rhasspy/voc1/local/splits"
    parts = [(folder / f"kathleen.{part}").read_text().split() for part in ("train", "val", "test")]
    stems = [stem for part in parts for stem in part]
    recordings(tmp_path / "corpus/kathleen", [f"{stem}.flac" for stem in stems], 24000)
    said, unsaid = parts[0][:13], parts[2][0]
    text = "".join(f"{stem} It is {stem}.\n" for stem in [*said, unsaid])
    (tmp_path / "corpus/kathleen/text").write_text(text)
    record(tmp_path / "said.wav", speech("low", 0.3))
    for program, option in (("flite", "-o"), ("espeak-ng", "-w"), ("text2wave", "-o")):
        stub = tmp_path / "bin" / program
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(
            f'#!/bin/sh\nwhile [ "$1" != {option} ]; do shift; done\ncp {tmp_path}/said.wav "$2"\n'
        )
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    script = ROOT / "egs/rhasspy/any1/run.sh"
    options = ["--corpus", "corpus", "--stop-stage", "1", "--data", "data", "--exp", "exp"]
    result = run(script, *options, "--domains", "kathleen", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    found = prepared(tmp_path / "data")
    assert len(found) == 1 + 26 + 3  # kathleen, espeak-ng's variants, flite's two and ked
    others = {name: splits for name, splits in found.items() if name != "kathleen"}
    spoken = sorted(stem for splits in others.values() for stem in splits["train"])
    assert spoken == sorted(
        stem for n, stem in enumerate(said) for _ in range(4 if n % 3 == 2 else 6)
    )
    assert all(splits.keys() == {"train"} for splits in others.values())
    assert (tmp_path / "data/local/targets").read_text() == "kathleen\n"
    options += ["--stage", "2", "--stop-stage", "2", "--targets", "flite_kal nobody"]
    result = run(script, *options, cwd=tmp_path)
    assert result.returncode == 1
    assert " has no domain nobody; its domains are espeak_Andy " in result.stderr


@pytest.mark.slow
def test_toy_vocoder_from_nothing_to_scores(tmp_path):
    """All five stages; a voice is left out of the second training, and measured alone."""
    script = ROOT / "egs/toy/voc1/run.sh"
    options = ["--data", "data", "--dump", "dump", "--exp", EXP, "--jobs", "1"]
    options += ["--held-out", "low", "--held-out-options", "trainer.n_steps=2"]
    scoring = ["--metrics", "--metric stft_distance --metric f0_error"]
    result = run(script, *options, *scoring, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    exp = tmp_path / EXP
    utterances = (exp / "without-low/dump/train/utt2spk").read_text().splitlines()
    assert [line.split()[1] for line in utterances] == 10 * ["high"]
    names = ["held_out", "griffin_lim", "world", "recording"]
    sections = {"all": ["", *names[1:]], "low": ["", *names]}
    for section, systems in sections.items():
        for system in systems:
            path = exp / "scores" / f"{section}{f'.{system}' if system else ''}.json"
            found = json.loads(path.read_text())
            assert len(found["utterances"]) == (3 if section == "low" else 6)
            assert list(found["metrics"]) == ["stft_distance", "f0_error"]
            distance = found["metrics"]["stft_distance"]["mean"]
            assert distance < 1e-9 if system == "recording" else distance > 0.1
    text = (exp / "RESULTS.md").read_text()
    assert "\n- steps: 20\n" in text and "\n- steps without low: 2\n" in text
    rows = [line.split(" | ")[0] for line in text.splitlines()]
    first = ["| ---", "| the recording itself", "| WORLD", "| Griffin-Lim"]
    heard, unheard = ["| **vocoder**"], ["| **trained without this voice**"]
    rows = [row for row in rows if row.startswith("| ")]
    assert rows == first + heard + first + unheard + heard
    result = run(
        script, *options, "--stage", "3", "--stop-stage", "3", "--held-out", "x", cwd=tmp_path
    )
    assert result.returncode == 1
    assert "run.sh: error: no speaker 'x' in " in result.stderr
    assert "choose from high low" in result.stderr


@pytest.mark.slow
def test_toy_recipe_from_nothing_to_scores(tmp_path):
    """All seven stages; conversion brings the voices closer; stages can be run again."""
    script = ROOT / "egs/toy/vc1/run.sh"
    options = ["--data", "data", "--dump", "dump", "--exp", EXP, "--jobs", "2"]
    scoring = [
        "--baselines",
        "statistics",
        "--metrics",
        "--metric mel_cepstral_distortion --jobs 1",
    ]
    result = run(script, *options, *scoring, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    exp = tmp_path / EXP
    for source, target in (("high", "low"), ("low", "high")):
        converted = sorted((exp / "converted" / f"{source}-{target}").glob("*.wav"))
        assert [path.name for path in converted] == [f"{source}-{n}.wav" for n in (200, 201, 202)]
        for path in converted:
            stem = path.stem.removeprefix(f"{source}-")
            original = soundfile.info(tmp_path / f"data/local/wav/{source}/{stem}.wav")
            assert abs(soundfile.info(path).duration - original.duration) <= 0.005
        distortion = [
            json.loads((exp / f"scores/{source}-{target}{kind}.json").read_text())["metrics"][
                "mel_cepstral_distortion"
            ]["mean"]
            for kind in ("", ".unconverted", ".statistics", ".target")
        ]
        assert distortion[0] < 0.95 * distortion[1]  # 0.85 when this was written
        assert distortion[2] < distortion[1] and distortion[3] == 0
    rows = [line.split(" | ")[0] for line in (exp / "RESULTS.md").read_text().splitlines()]
    assert [row for row in rows if row.startswith("| ")] == 2 * [
        "| ---", "| source, unconverted", "| statistics", "| **model**",
        "| target's own recordings",
    ]  # fmt: skip
    assert "steps: 200" in (exp / "RESULTS.md").read_text()
    page = (exp / "report.html").read_text()
    assert page.count("<audio") == 2 * 3 * 3  # directions, utterances; source, converted, target
    manifest = json.loads((exp / "listen/mos/manifest.json").read_text())
    assert list(manifest["systems"]) == ["model", "statistics", "reference", "check"]
    conversions = manifest["systems"]["model"]["made"]["conversions"]
    digests = {Path(place).name: made["sha256"] for place, (made,) in conversions.items()}
    assert digests == dict.fromkeys(["high-low", "low-high"], digest(exp / "model"))

    before = (exp / "model/translator.safetensors").read_bytes()
    result = run(script, *options, "--stage", "2", "--stop-stage", "4", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (exp / "model/translator.safetensors").read_bytes() == before

    listen = ["--stage", "7", "--baselines", "statistics", "--listen", "mos similarity"]
    result = run(script, *options, *listen, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "mos stays as it is; remove it to have a new one" in result.stdout
    assert json.loads((exp / "listen/mos/manifest.json").read_text()) == manifest
    assert (exp / "listen/similarity/page/test.json").is_file()


@pytest.mark.parametrize("option", ["data", "dump", "exp"])
def test_an_address_is_no_folder_of_a_recipe(tmp_path, option):
    result = run(ROOT / "egs/toy/vc1/run.sh", f"--{option}", "s3://bucket/dump", cwd=tmp_path)
    assert result.returncode == 2
    said = f"run.sh: error: option --{option}: s3://bucket/dump is an address; recipes work in"
    assert result.stderr.startswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recipe", ["vc1", "voc1"])
@pytest.mark.parametrize("path", ["exp/${name}", "two\nlines"])
def test_a_path_that_training_would_refuse_after_hours_is_refused_at_once(tmp_path, recipe, path):
    given = [word for name in ("data", "dump") for word in (f"--{name}", tmp_path / name)]
    result = run(ROOT / "egs/toy" / recipe / "run.sh", *given, "--exp", path, cwd=tmp_path)
    assert result.returncode == 2
    said = f"run.sh: error: option --exp: the path '{tmp_path}/{path}' has a ${{ or a line break in"
    assert result.stderr.startswith(said)
    assert list(tmp_path.iterdir()) == []
