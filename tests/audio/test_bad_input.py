"""What users give by mistake: exit code, one sentence, no traceback, nothing half-written.

Sound files and places are in bad_files.py, options, models and corpora here. The table as Markdown:
pytest tests/test_bad_input.py -rP | grep '^|'
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from bad_files import CASES, Place, case, convert_wave, wave
from omegaconf import OmegaConf
from tiny_model import RATE, Cli, make_cli, make_converter, record, speech

from voiceconv.build import compose_config
from voiceconv.data.archive import ArchiveWriter
from voiceconv.data.statistics import write_stats

# Options and models


@case("unknown target", 2, "no target 'tenor': this model knows high, low")
def _(place):
    record(place.work / "in.wav", wave())
    return place.convert("in.wav", "-o", "out.wav", target="tenor")


@case("source equal to target", 2, "source and target are both 'high'; choose another target")
def _(place):
    return [*convert_wave(place, wave()), "--source", "high"]


@case("output rate of 0", 2, "no output at 0 Hz; choose a rate from 4000 to 384000 Hz")
def _(place):
    return [*convert_wave(place, wave()), "--sample-rate", "0"]


@case("no such model", 2, "no model 'gone': it is neither a model's directory, nor a run")
def _(place):
    return [*convert_wave(place, wave())[:-1], "gone"]


@case("model with cut weights", 2, "translator.safetensors is not readable as safetensors")
def _(place):
    path = place.model / "translator.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    return convert_wave(place, wave())


@case("model with cut statistics", 2, "stats.safetensors: not readable as statistics")
def _(place):
    path = place.model / "stats.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    return convert_wave(place, wave())


@case("model asking for os.system", 2, "configuration asks for 'os.system'; only classes of ")
def _(place):
    path = place.model / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["vocoder"] = {"_target_": "os.system", "command": f"touch {place.work / 'owned'}"}
    path.write_text(yaml.safe_dump(config))
    return convert_wave(place, wave())


@case("model without weights", 2, "translator.safetensors is not readable as safetensors")
def _(place):
    (place.model / "translator.safetensors").unlink()
    return convert_wave(place, wave())


@case("model without statistics", 2, "stats.safetensors: not readable as statistics")
def _(place):
    (place.model / "stats.safetensors").unlink()
    return convert_wave(place, wave())


@case("model whose configuration is a list", 2, "config.yaml is no mapping of keys to values")
def _(place):
    (place.model / "config.yaml").write_text("- a\n- list\n")
    return convert_wave(place, wave())


@case("model whose weights are NaN", 1, "nothing is written to out.wav: the wave holds NaN")
def _(place):
    torch.manual_seed(1)
    broken = make_converter()
    torch.nn.init.constant_(broken.translator.generators["1_to_0"].exit.bias, torch.nan)
    broken.save_pretrained(place.model, {})
    return convert_wave(place, wave())


# Corpora


def corpus(place: Place, **seconds: list[float]) -> Path:
    """A folder per domain with a recording of each of these lengths."""
    for domain, lengths in seconds.items():
        (place.work / "src" / domain).mkdir(parents=True)
        for number, length in enumerate(lengths):
            samples = speech("low", length, seed=number)
            record(place.work / "src" / domain / f"{domain}{number}.wav", samples)
    return place.work / "src"


def data_dir(place: Place, rates: tuple[int, ...]) -> Path:
    """A Kaldi data directory with a quarter of a second at each rate."""
    lines = [f"low-{number} data/{number}.wav" for number in range(len(rates))]
    for number, rate in enumerate(rates):
        record(place.work / "data" / f"{number}.wav", speech("low", 0.25, rate), rate)
    (place.work / "data" / "wav.scp").write_text("\n".join(lines) + "\n")
    (place.work / "data" / "utt2spk").write_text(
        "".join(f"low-{number} low\n" for number in range(len(rates)))
    )
    return Path("data")


@case("data directory of other rates", 0, **{"out/low-0.wav": 4000, "out/low-1.wav": 4000})
def _(place):
    return place.convert(data_dir(place, (8000, 48000)), "-o", "out")


@case("corpus of unlike rates", 0, "sample rates differ (a 16000 Hz, b 16000/48000 Hz): all is ")
def _(place):
    src = corpus(place, a=[0.3] * 3, b=[0.3] * 3)
    record(src / "b" / "b0.wav", speech("low", 0.3, 48000), 48000)
    return ["prepare", src, "data"]


@case("corpus with a bad file", 0, "work/src/a/bad.wav is empty (0 bytes)")
def _(place):
    corpus(place, a=[0.3] * 3, b=[0.3] * 3)
    (place.work / "src" / "a" / "bad.wav").write_bytes(b"")
    return ["prepare", "src", "data"]


@case("scp line without a file", 2, "data/wav.scp:2: there is no file 'data/1.wav'; mend the path")
def _(place):
    data = data_dir(place, (RATE, RATE))
    (place.work / data / "1.wav").unlink()
    return place.convert(data, "-o", "out")


@case("scp line without a path", 2, "data/wav.scp:3: found only 'low-2'; a line of wav.scp has two")
def _(place):
    data = data_dir(place, (RATE, RATE))
    with open(place.work / data / "wav.scp", "a") as scp:
        scp.write("low-2\n")
    return place.convert(data, "-o", "out")


@case("scp line with a command", 2, "'touch owned |' is a command, and commands are not run")
def _(place):
    data = data_dir(place, (RATE, RATE))
    with open(place.work / data / "wav.scp", "a") as scp:
        scp.write("low-2 touch owned |\n")
    return place.convert(data, "-o", "out")


@case("domain with one utterance", 2, "domain 'b' has only 1 utterance in src; train, val and test")
def _(place):
    corpus(place, a=[0.3] * 3, b=[0.3])
    return ["prepare", "src", "data"]


@case("domain with none", 2, "domain 'b' has no sound file that can be read in src; add recordings")
def _(place):
    source = corpus(place, a=[0.3] * 3, b=[])
    (source / "b" / "words.wav").write_text("no sound")
    return ["prepare", "src", "data"]


@case("domain with one utterance, to fit", 2, "domain 'b' has only 1 utterance in src; train, val")
def _(place):
    corpus(place, a=[0.3] * 3, b=[0.3])
    return ["fit", "src", "-o", "fitted"]


@case("one domain alone, to fit", 2, "src holds the one domain a; cyclegan_vc2_small converts")
def _(place):
    corpus(place, a=[0.3] * 3)
    return ["fit", "src", "-o", "fitted", "--experiment", "cyclegan_vc2_small"]


@case("no such corpus", 2, "src is not there; give a folder with a folder of recordings per domain")
def _(place):
    return ["prepare", "src", "data"]


@case("utterances shorter than the training crop", 2, "domain 'b': none of its 1 utterances is as ")
def _(place):
    dump = place.work / "dump" / "train"
    write_dump(dump, {"a-1": 200, "b-1": 127})
    return ["train", "experiment=cyclegan_vc2_small", "data.dump=dump", "run_dir=run"]


@case(
    "training without data",
    2,
    "dump/train/features.yaml is not readable as YAML; run `voiceconv extract`",
)
def _(place):
    return ["train", "experiment=cyclegan_vc2_small", "data.dump=dump", "run_dir=run"]


def write_dump(dump: Path, n_frames: dict[str, int]) -> None:
    """What extract and stats leave, of noise; an utterance is `<domain>-<number>`."""
    config = compose_config(["experiment=cyclegan_vc2_small", "data.dump=none"])
    node = OmegaConf.to_container(config.features, resolve=True)
    dump.mkdir(parents=True)
    (dump / "features.yaml").write_text(yaml.safe_dump(node))
    (dump / "processing.yaml").write_text(yaml.safe_dump({"trim": 40.0, "loudness": -23.0}))
    (dump / "utt2spk").write_text("".join(f"{name} {name[0]}\n" for name in n_frames))
    rng = np.random.default_rng(0)
    with ArchiveWriter(dump, "feats", 0) as writer:
        for name, length in n_frames.items():
            writer.write(name, rng.standard_normal((length, 36)).astype(np.float32))
    (dump / "feats.0.scp").rename(dump / "feats.scp")
    write_stats(dump)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    make_converter().save_pretrained(folder, {})
    return folder


@pytest.fixture
def place(tmp_path, saved, monkeypatch) -> Place:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Place(tmp_path / "work", shutil.copytree(saved, tmp_path / "model"), monkeypatch)


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(case, place, voiceconv):
    arguments = case.make(place)
    before = files(place.work.parent)
    said = voiceconv(*arguments)
    shown = said.err.strip().removeprefix("voiceconv: error: ") or "works"
    print(f"| {case.name} | {said.code} | {shown} |".encode("utf-8", "backslashreplace").decode())
    assert said.code == case.code
    assert case.message in said.err
    assert "Traceback" not in said.err + said.out
    after = files(place.work.parent)
    assert {path: after.get(path) for path in before} == before
    if case.code != 0:
        assert said.err.startswith("voiceconv: error: ")
        assert said.err.count("\n") == 1
        assert after == before
    elif case.outputs:
        new = {os.path.relpath(path, place.work) for path in after.keys() - before.keys()}
        assert new - {"out/conversion.json"} == set(case.outputs)
        for name, n_samples in case.outputs.items():
            samples, rate = soundfile.read(os.fsencode(name), dtype="float32")
            assert (samples.shape, rate) == ((n_samples,), RATE)
