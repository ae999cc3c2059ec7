"""A representation without audio goes the whole way, and touches no file but its own."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from overlay import DRIVER, END, added, cli, overlay, require_equal_runs, run_python, told
from safetensors.torch import load_file

FAMILY = Path(__file__).parent / "piano_roll"
CHORDS = {"major": (0, 4, 7), "minor": (0, 3, 7)}  # semitones, by domain
FILES = [
    "conf/experiment/tiny_roll.yaml",
    "conf/features/tiny_roll.yaml",
    "conf/translator/tiny_roll.yaml",
    "features/tiny_roll.py",
    "models/tiny_roll.py",
]
MODEL = "convert corpus/major/a0.roll --model whole --target minor"
REFUSED = {
    "extract data dump2 --features tiny_roll --waves": "leave --waves out",
    "check data --experiment tiny_roll --fix fixed": "--fix fixed mends sound",
    "resynth corpus/major/a0.roll --features tiny_roll": "resynth is for audio",
    f"{MODEL} --sample-rate 8000": "--sample-rate 8000 is for sound",
    f"{MODEL} -o a.wav": "a.wav is no name of a file of these features",
    f"{MODEL} -o -": "- stands for sound",
    f"{MODEL} --source minor": "source and target are both 'minor'",
    "train experiment=tiny_roll vocoder=griffin_lim run_dir=x data.dump=dump": "vocoder=null",
    "train experiment=tiny_roll data.loudness=-23 run_dir=x data.dump=dump": "at None LUFS",
    "convert a.roll --model baseline:copy --dump dump --target minor": "baselines are of sound",
}
# One process: commands one after another, what they said and how they ended as JSON.
SCRIPT = """
TRAIN = ["train", "experiment=tiny_roll", "data.dump=dump", "trainer.n_steps=20",
         "trainer.decay_start=10", "trainer.validate_every=20", "trainer.log_every=5",
         "trainer.device=cpu"]

voiceconv("prepare", "corpus", "data", "--features", "tiny_roll")
voiceconv("check", "data", "--experiment", "tiny_roll", "--json")
voiceconv("extract", "data", "dump", "--features", "experiment=tiny_roll", "--jobs", "1")
voiceconv("stats", "dump/train")
voiceconv(*TRAIN, "run_dir=whole")
interrupted(10, *TRAIN, "run_dir=parts")
voiceconv(*TRAIN, "run_dir=parts")
voiceconv("convert", "data/test", "--model", "whole", "--target", "minor", "-o", "out/")
voiceconv("convert", "corpus/major/a0.roll", "--model", "whole", "--target", "minor")
voiceconv("export", "whole", "-o", "onnx")
voiceconv("convert", "corpus/major/a0.roll", "--model", "onnx", "--target", "minor", "-o", "o.roll")
voiceconv("check", "faulty", "--experiment", "tiny_roll", "--json")
for refused in REFUSED:
    voiceconv(*refused.split())
""".replace("REFUSED", repr(list(REFUSED)))


def write_corpus(folder: Path, domains: dict[str, tuple[int, ...]] = CHORDS, n: int = 8) -> None:
    """Chords of a kind for each domain, on roots 60 to 64; 40 sixteenths a file, rests too."""
    for prefix, (domain, chord) in zip("abcd", domains.items(), strict=False):
        (folder / domain).mkdir(parents=True)
        for number in range(n):
            rng = random.Random(f"{domain} {number}")
            lines = ["# tempo 120"]
            for _ in range(40):
                notes = [str(60 + root + step) for root in [rng.randrange(5)] for step in chord]
                lines.append(" ".join([*notes, "@90"]) if rng.random() < 0.8 else "")
            (folder / domain / f"{prefix}{number}.roll").write_text("\n".join(lines) + "\n")


def write_faulty(corpus: Path) -> None:
    """One file that can't be read, one too short, one of training in test, too."""
    write_corpus(corpus, n=4)
    head = "# tempo 120\n"
    (corpus / "major" / "a0.roll").write_text(head + "60 sixty\n")
    (corpus / "major" / "a1.roll").write_text(head + "60\n" * 15)  # a crop has 16
    copy = (corpus / "minor" / "b0.roll").read_text().replace("# tempo 120", "# tempo 90")
    (corpus / "minor" / "b3.roll").write_text(copy)
    (corpus / "splits").mkdir()
    for domain, prefix in (("major", "a"), ("minor", "b")):
        lists = {"train": "012", "val": "", "test": "3"}
        for split, numbers in lists.items():
            lines = "".join(f"{prefix}{number}\n" for number in numbers)
            (corpus / "splits" / f"{domain}.{split}").write_text(lines)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, by whichever of the suite's processes is the first to need it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of this run, and of all its processes
    folder, done = root / "piano_roll", root / "piano_roll.done"
    with FileLock(root / "piano_roll.lock"):
        if done.exists():
            return folder / "place"
        made = overlay(folder, FAMILY)
        write_corpus(made / "corpus")
        write_faulty(made / "faulty")
        ended = run_python(made, DRIVER + SCRIPT + END)
        assert ended.returncode == 0, ended.stderr
        done.touch()
    return made


@pytest.fixture(scope="module")
def said(place: Path) -> dict[str, tuple[int, str, str]]:
    """Command -> exit code, stdout and stderr; of the same command, the first's."""
    return told(place)


def test_adding_it_touched_its_own_files_only(place):
    assert added(place, FAMILY) == FILES


def test_every_command_of_the_way_ends_well_but_the_interrupted_one(said):
    way = [command for command in said if command not in REFUSED and "faulty" not in command]
    codes = {command: said[command][0] for command in way}
    assert len(codes) == 10
    stopped = [command for command, code in codes.items() if code != 0]
    assert [command.split()[-1] for command in stopped] == ["run_dir=parts"]
    code, _, err = said[stopped[0]]
    assert code == 1 and "stopped at step 10 and saved" in err


def test_what_was_prepared_has_seconds_and_no_rate(said):
    _, out, _ = said["prepare corpus data --features tiny_roll"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["train", "major", "6", "0.5", ""] in rows  # 6 x 40 sixteenths, 8 a second
    assert ["test", "minor", "1", "0.1", ""] in rows


def test_archives_hold_frames_and_the_tracks_by_their_names(place):
    script = """
import numpy as np
from pathlib import Path
from voiceconv.build import build
from voiceconv.data.archive import Archive
from voiceconv.data.dump import read_yaml
from voiceconv.features import Representation
roll = build(read_yaml(Path("dump/train/features.yaml")), Representation)
feats, velocity = Archive("dump/train/feats.scp"), Archive("dump/train/velocity.scp")
assert len(feats) == len(velocity) == 12
for name, frames in feats.items():
    domain, stem = name.split("-")
    read = roll.read(Path(f"corpus/{domain}/{stem}.roll"))
    assert frames.shape == (40, 12) and (frames == read.frames.T.numpy()).all()
    assert (velocity[name] == read.tracks["velocity"].numpy()).all()
"""
    ended = run_python(place, script)
    assert ended.returncode == 0, ended.stderr
    scps = [path.name for path in (place / "dump" / "train").glob("[!.]*.scp")]
    assert sum(name.startswith("velocity.") for name in scps) == 1 + 12  # and one of each shard
    assert {name.partition(".")[0] for name in scps} == {"feats", "velocity", "wav"}
    stated = yaml.safe_load((place / "dump" / "train" / "processing.yaml").read_text())
    assert stated == {"trim": None, "loudness": None}


def test_statistics_change_no_frame(place):
    stats = load_file(place / "dump" / "train" / "stats.safetensors")
    for domain in CHORDS:
        assert torch.equal(stats[f"{domain}/frames_mean"], torch.zeros(12))
        assert torch.equal(stats[f"{domain}/frames_std"], torch.ones(12))


def test_resumed_equals_uninterrupted(place):
    assert require_equal_runs(place, "whole", "parts", step=20) > 60


def notes(path: Path) -> list[set[int]]:
    """The pitches of each sixteenth."""
    lines = path.read_text().split("\n")
    assert lines[0] == "# tempo 120" and lines[-1] == ""
    return [{int(w) for w in line.split() if w[0] != "@"} for line in lines[1:-1]]


def test_files_are_converted_to_files_by_torch_and_by_onnxruntime(place):
    """What frames do not say, the comment at the head, is the source's."""
    (written,) = (place / "out").glob("*.roll")
    assert written.name.startswith("major-a") and len(notes(written)) == 40
    source, converted = notes(place / "corpus/major/a0.roll"), notes(place / "a0-minor.roll")
    assert len(converted) == 40
    assert all(pitch in range(60, 72) for one in converted for pitch in one)
    loud = [line for line in (place / "a0-minor.roll").read_text().split("\n") if "@" in line]
    assert {line.partition("@")[2] for line in loud} <= {"90", "0"}  # carried beside the frames
    assert notes(place / "o.roll") == converted
    # 20 steps change little: the generator begins near what it is given.
    agree = np.mean([one == other for one, other in zip(source, converted, strict=True)])
    assert agree > 0.5


def test_the_newest_model_ships_without_a_score_and_val_is_shown(place, said):
    command = next(command for command in said if command.endswith("run_dir=whole"))
    assert "no validation score (scores are of audio" in " ".join(said[command][1:])
    config = yaml.safe_load((place / "whole" / "model" / "config.yaml").read_text())
    assert config["vocoder"] is None and config["loudness"] is None
    assert config["card"]["steps"] == 20
    assert not (place / "whole" / "validation.json").exists()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place / "whole" / "tensorboard"), {"images": 0})
    events.Reload()
    shown = {
        f"{one}_to_{other}/0/{kind}"
        for one, other in (("major", "minor"), ("minor", "major"))
        for kind in ("source", "converted", "cycled")
    }
    assert set(events.Tags()["images"]) == shown
    (image,) = events.Images("major_to_minor/0/source")
    assert (image.width, image.height) == (40, 4 * 12)
    assert not events.Tags()["audio"]


def test_nothing_is_found_in_a_sound_corpus_and_rules_of_sound_are_named(said):
    code, out, _ = said["check data --experiment tiny_roll --json"]
    report = json.loads(out)
    assert (code, report["findings"], report["n_utterances"]) == (0, [], 16)
    assert report["seconds"] == 16 * 40 / 8
    assert report["speakers"]["major"]["n_frames"] == 320
    assert report["not_run"]["clipping"] == "these features are of files without a wave"
    assert len(report["not_run"]) == 12


def test_faults_of_frames_are_found(said):
    code, out, _ = said["check faulty --experiment tiny_roll --json"]
    assert code == 1
    found = json.loads(out)["findings"]
    shown = [
        (f["rule"], f["speaker"], f["figure"], f["limit"], [u["name"] for u in f["utterances"]])
        for f in found
    ]
    assert shown == [
        ("unreadable", "major", 1, 0, ["train/major-a0"]),
        ("too short", "major", 15, 16, ["train/major-a1"]),
        ("leak", "minor", 0, 0, ["train/minor-b0"]),
    ]
    assert not any(f["mendable"] or "--fix" in f["remedy"] for f in found)


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_of_sound_is_refused_in_a_sentence(said, command):
    code, _, err = said[command]
    assert code == 2 and err.startswith("voiceconv: error: ")
    assert REFUSED[command] in err


def test_of_three_domains_alike_the_source_must_be_said(place):
    """Statistics that change nothing tell no domain from another."""
    script = """
import torch, yaml
from pathlib import Path
from voiceconv.converter import FileConverter, open_model
from voiceconv.errors import InputError
from voiceconv.features import DomainStats
config = yaml.safe_load(Path("whole/model/config.yaml").read_text())
three = FileConverter(config, dict.fromkeys("abc", DomainStats.neutral(12)))
path = Path("corpus/major/a0.roll")
try:
    three.convert(path, Path("x.roll"), "c")
except InputError as error:
    print(error)
assert not Path("x.roll").exists()
three.convert(path, Path("x.roll"), "c", "a")
told = {name: DomainStats.neutral(12) for name in "abc"}
told["b"].frames_mean.fill_(5.0)
three = FileConverter(config, told)
three.translator.register_forward_pre_hook(lambda network, given: print(*given[1:3]))
three.convert(path, Path("y.roll"), "c")
"""
    ended = run_python(place, script)
    assert ended.returncode == 0, ended.stderr
    sentence, pair = ended.stdout.strip().split("\n")
    assert sentence.endswith("give --source, one of a, b")
    assert pair == "0 2"


def test_the_command_line_knows_the_family(place):
    ended = cli(place, "info", "experiment=tiny_roll")
    n_parameters = 12 * 5 * 32 + 32 + 32 * 5 * 32 + 32 + 32 * 5 * 12 + 12
    assert ended.returncode == 0 and f"parameters: {n_parameters}" in ended.stdout


def test_a_family_may_not_change_the_package(tmp_path):
    (tmp_path / "family" / "features").mkdir(parents=True)
    (tmp_path / "family" / "features" / "mel.py").touch()
    with pytest.raises(FileExistsError):
        overlay(tmp_path, tmp_path / "family")
