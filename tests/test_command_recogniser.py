"""recipes/command_recogniser.py: what it hears, what it trains on, its table."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import record, speech

from voiceconv.data.kaldi import Utterance, write_data_dir

PATH = Path(__file__).parents[1] / "recipes/command_recogniser.py"
spec = spec_from_file_location("command_recogniser", PATH)
assert spec is not None and spec.loader is not None
recogniser = module_from_spec(spec)
spec.loader.exec_module(recogniser)


def test_bands_are_normal_and_neither_level_nor_silence_nor_length_counts():
    wave = speech("low", 1.0)
    frames = recogniser.log_mel(wave)
    assert frames.shape == (40, 96)
    torch.testing.assert_close(frames.mean(1), torch.zeros(40), atol=1e-5, rtol=0)
    assert ((frames.std(1) - 1).abs() < 0.02).all()
    torch.testing.assert_close(recogniser.log_mel(0.5 * wave), frames, atol=0.02, rtol=0)
    silence = torch.zeros(16000)
    around = [torch.cat([one, wave, one]) for one in (silence, silence.repeat(2))]
    torch.testing.assert_close(*map(recogniser.log_mel, around), atol=1e-5, rtol=0)
    assert (recogniser.log_mel(speech("low", 1.0, seed=1)) - frames).abs().mean() > 0.3
    assert recogniser.log_mel(speech("low", 0.3)).shape == (40, 96)


def test_a_speed_changes_length_and_pitch():
    time = torch.arange(16000) / 16000
    made = recogniser.at_speeds({"a": [torch.sin(2 * torch.pi * 1000 * time)]})["a"]
    assert [len(one) for one in made] == [17778, 14545]
    peaks = [one.double().mul(torch.hann_window(len(one))).to(torch.float64) for one in made]
    found = [torch.fft.rfft(one).abs().argmax() * 16000 / len(one) for one in peaks]
    assert [float(one) for one in found] == pytest.approx([900, 1100], abs=2)


def test_each_row_has_the_originals_and_its_variants():
    wave = speech("low", 0.3)
    rows = recogniser.conditions({"a": [wave]}, {"x": {"a": [wave, wave]}})
    assert {row: len(waves["a"]) for row, waves in rows.items()} == {
        "none": 1,
        "speed": 3,
        "x": 3,
        "x and speed": 5,
    }


def test_it_learns_its_commands_the_same_for_the_same_seed():
    waves = {str(n): [speech("low", 0.5, seed=n)] for n in range(4)}
    known = recogniser.examples(waves)
    models = [recogniser.train(known, 3, n_epochs=40) for _ in range(2)]
    assert recogniser.errors_of(models[0], known).tolist() == [0, 0, 0, 0]
    scores = [model(known.frames) for model in models]
    assert torch.equal(*scores)


def test_intervals_of_seeds():
    """Means of 10, 20 and 30%: a deviation of 10, so 4.303 * 10 / sqrt(3) to either side."""
    errors = np.zeros((3, 10))
    for seed in range(3):
        errors[seed, : seed + 1] = 1
    assert recogniser.over_seeds(errors) == "20.0 [-4.8, 44.8]"


def test_the_table_of_a_corpus(tmp_path, monkeypatch):
    """Four sentences by two voices; copies of the test's voice, if any, are not trained on."""
    monkeypatch.chdir(tmp_path)
    utterances = []
    for domain in ("low", "high", "as-x-low", "as-x-high"):
        for n in range(4):
            pitch = "high" if domain.endswith("high") else "low"
            path = record(tmp_path / domain / f"{n}.wav", speech(pitch, 0.4, seed=n))
            utterances.append(Utterance(f"{domain}-{n}", domain, path))
    write_data_dir("both", utterances[:8])
    write_data_dir("copies", utterances)
    words = (
        "RESULTS.md --test both --copies x=copies --voice low --unseen high --facts fact".split()
    )
    small = "--n-commands 2 --part 2 --n-seeds 2 --n-epochs 2".split()
    monkeypatch.setattr(sys, "argv", ["command_recogniser.py", *words, *small])
    recogniser.main()
    lines = Path("RESULTS.md").read_text().splitlines()
    assert lines[0] == "- fact"
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines if line[:1] == "|"]
    assert cells[2:] == [["none", "2"], ["speed", "6"], ["x", "4"], ["x and speed", "8"]]
    monkeypatch.setattr(sys, "argv", ["command_recogniser.py", *words, "--part", "2"])
    with pytest.raises(SystemExit, match="low and high share 4 sentences in both: too few"):
        recogniser.main()


@pytest.mark.slow
def test_the_recipe_from_data_to_its_table(tmp_path):
    """Stages 2 and 3; what is there is not converted again."""
    utterances = []
    for domain, pitch in (("nathalie", 160.0), ("flemishguy", 120.0)):
        for n in range(2):
            path = record(tmp_path / domain / f"{n}.wav", speech(pitch, 0.5, seed=n))
            utterances.append(Utterance(f"{domain}-{n}", domain, path, text=f"sentence {n}"))
    write_data_dir(tmp_path / "data/paired", utterances)
    script = PATH.parents[1] / "egs/rhasspy_nl/aug1/run.sh"
    options = "--stage 2 --jobs 1 --data data --exp exp --n-commands 2 --n-seeds 1 --n-epochs 1"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    command = [script, *options.split()]
    for targets in ("kathleen", "kathleen,kerstin"):
        done = subprocess.run(
            [*command, "--targets", targets],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(" | ")[:2] for line in (tmp_path / "exp/RESULTS.md").open() if "| " in line]
    assert dict(rows[2:]) == {
        "| none": "2",
        "| speed": "6",
        "| statistics": "6",
        "| conversion": "6",
        "| statistics and speed": "10",
        "| conversion and speed": "10",
    }
    speakers = {line.split()[1] for line in (tmp_path / "exp/conversion/utt2spk").open()}
    copied = {f"as-{target}-nathalie" for target in ("kathleen", "kerstin")}
    assert speakers == {"flemishguy", "nathalie", *copied}
