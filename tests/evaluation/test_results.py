"""The tables of RESULTS.md, and what is said below them."""

import subprocess
import sys
from pathlib import Path

import pytest

from voiceconv.errors import InputError
from voiceconv.evaluation.bootstrap import summary
from voiceconv.evaluation.results import COPIES, Header, write_results
from voiceconv.evaluation.scores import write_scores
from voiceconv.metrics import MEASURES

SCRIPT = Path(__file__).parents[2] / "recipes/write_results.py"
HEADER = Header("nl", "./run.sh --stage 6", {"commit": "abc123", "steps": "15,000"})


def scores(path, order=24, not_run=None, commit=None, **values):
    """Write scores of measures given as lists, a value for each utterance."""
    n = len(next(iter(values.values())))
    found = {
        "format": 3,
        "protocol": {
            "common": {"sample_rate": 16000, "n_utterances": n, "utterances": "0" * 64}
            | ({"commit": commit} if commit else {}),
            "inputs": {},
            **{name: {"order": order} for name in values},
        },
        "metrics": {name: summary(one) for name, one in values.items()},
        "not_run": not_run or {},
        "utterances": {
            str(i): {name: one[i] for name, one in values.items()} | {"n_characters": 10}
            for i in range(n)
        },
    }
    write_scores(path, found)
    return path


def test_tables_by_what_is_measured(tmp_path):
    systems = {
        "model": dict(mel_cepstral_distortion=[7.0, 7.0], loudness=[-23.04, -23.04]),
        "unconverted": dict(mel_cepstral_distortion=[8.0, 9.0], loudness=[-20.0, -20.0]),
        "knn": dict(mel_cepstral_distortion=[7.5, 7.25], loudness=[-22.0, -24.0]),
        "target": dict(mel_cepstral_distortion=[0.0, 0.0], loudness=[-30.0, -30.0]),
    }
    files = {name: scores(tmp_path / f"{name}.json", **values) for name, values in systems.items()}
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.startswith("# nl\n\n    ./run.sh --stage 6\n\n- commit: abc123\n- steps: 15,000\n")
    assert (
        "## a to b\n\n### Against the target's recording of the sentence\n\n"
        "| | MCD, dB ↓ |\n| --- | --- |\n"
        "| source, unconverted | 8.50 [8.00, 9.00] |\n"
        "| kNN | 7.38 [7.25, 7.50] |\n"
        "| **model** | **7.00** [7.00, 7.00] |\n"
        "| target's own recordings | 0.00 [0.00, 0.00] |\n"
    ) in text
    assert "### Naturalness and level\n\n| | loudness, LUFS |\n| --- | --- |\n" in text
    assert "| **model** | -23.0 [-23.0, -23.0] |\n" in text  # no way of loudness is better
    assert "not the best" not in text
    assert "- a to b: sample_rate 16000, n_utterances 2, utterances 000000000000\n" in text
    assert text.rstrip().endswith("- MCD, loudness: order 24")


def test_where_the_model_is_not_the_best(tmp_path):
    identity = scores(tmp_path / "i.json", character_error=[40.0] * 4, speaker_similarity=[0.5] * 4)
    model = scores(tmp_path / "m.json", character_error=[48.0] * 4, speaker_similarity=[0.8] * 4)
    knn = scores(
        tmp_path / "k.json", character_error=[55.0] * 4, speaker_similarity=[0.85, 0.9, 0.85, 0.9]
    )
    statistics = scores(
        tmp_path / "s.json", character_error=[41.0] * 4, speaker_similarity=[0.6] * 4
    )
    files = {"copy": identity, "model": model, "knn": knn, "statistics": statistics}
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    text = (tmp_path / "RESULTS.md").read_text()
    assert (
        "- The model is not the best in similarity: -0.075 [-0.100, -0.050] from kNN.\n"
        "- The model is not the best in CER: +7.0 [+7.0, +7.0] from statistics.\n"
        "- Within 10 points of copy-synthesis's CER: statistics, **model**; "
        "most similar: **model**, 0.800.\n"
    ) in text
    assert "| **model** | 0.800 [0.800, 0.800] |" in text
    assert "| kNN | **0.875** [0.850, 0.900] |" in text
    dearer = scores(tmp_path / "m.json", character_error=[51.0] * 4, speaker_similarity=[0.8] * 4)
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": {"copy": identity, "model": dearer}})
    assert "- Nothing that converts keeps its CER within 10 points of copy-synthesis.\n" in (
        (tmp_path / "RESULTS.md").read_text()
    )


def test_of_equals_none_is_the_best_and_of_several_best_each(tmp_path):
    """The model is as good as any here: nothing is said against it."""
    systems = {
        "statistics": dict(clipped=[0.0, 0.0], nearer_target=[0.0, 0.0]),
        "knn": dict(clipped=[0.0, 0.0], nearer_target=[100.0, 100.0]),
        "model": dict(clipped=[0.0, 0.0], nearer_target=[100.0, 100.0]),
    }
    files = {name: scores(tmp_path / f"{name}.json", **values) for name, values in systems.items()}
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    text = (tmp_path / "RESULTS.md").read_text()
    assert "not the best" not in text
    assert text.count("**0.0**") == 0 and text.count("**100.0**") == 2


def test_every_commit_that_scored_is_told(tmp_path):
    files = {
        "model": scores(tmp_path / "m.json", commit="a" * 40 + "+", peak=[-1.0]),
        "knn": scores(tmp_path / "k.json", commit="b" * 40, peak=[-1.0]),
        "gmm": scores(tmp_path / "g.json", commit="b" * 40, peak=[-1.0]),
    }
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    text = (tmp_path / "RESULTS.md").read_text()
    assert f"utterances {'0' * 12}, commit {'b' * 12} / {'a' * 12}+\n" in text


def test_what_was_not_run_is_said_once(tmp_path):
    reason = {"dnsmos": "no speechmos", "pesq": "no originals", "peak": "not asked for"}
    files = {
        "model": scores(tmp_path / "m.json", not_run=reason, loudness=[-1.0]),
        "copy": scores(tmp_path / "i.json", not_run={"dnsmos": "no speechmos"}, pesq=[3.0]),
    }
    write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.count("- Not run: ") == 1 and "- Not run: DNSMOS (no speechmos).\n" in text
    assert f"### As a copy of the source\n\n| | {MEASURES['pesq'].title}, MOS-LQO ↑ |\n" in text
    assert "| copy-synthesis | 3.00 [3.00, 3.00] |\n" in text


def test_unlike_protocols_share_no_table(tmp_path):
    files = {
        "model": scores(tmp_path / "m.json", mel_cepstral_distortion=[7.0]),
        "knn": scores(tmp_path / "k.json", order=34, mel_cepstral_distortion=[7.0]),
    }
    with pytest.raises(InputError, match=r"m\.json was not made as .*k\.json was: .*order is 24"):
        write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    assert not (tmp_path / "RESULTS.md").exists()
    files["unconverted"] = scores(tmp_path / "u.json", peak=[-1.0])  # it has no MCD to compare
    with pytest.raises(InputError, match=r"m\.json was not made as .*k\.json was: .*order is 24"):
        write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    del files["unconverted"]
    files["knn"] = scores(tmp_path / "k.json", mel_cepstral_distortion=[7.0, 7.0])
    with pytest.raises(InputError, match=r"m\.json was not made .*: it lacks the utterance '1'"):
        write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": files})
    with pytest.raises(InputError, match="there are no scores of a to b"):
        write_results(tmp_path / "RESULTS.md", HEADER, {"a to b": {}})


def test_the_recipes_script_says_it_in_a_sentence(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.yaml").write_text("card: {}\n")
    (tmp_path / "scores").mkdir()
    scores(tmp_path / "scores/a-b.json", peak=[-1.0])
    scores(tmp_path / "scores/a-b.knn.json", order=34, peak=[-1.0])
    command = [sys.executable, SCRIPT, "conversion", tmp_path, "abc123", "./run.sh", "a-b"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == (
        f"write_results.py: error: {tmp_path}/scores/a-b.json was not made as "
        f"{tmp_path}/scores/a-b.knn.json was: peak: order is 24, not 34; evaluate both alike\n"
    )


def test_copies_are_one_table(tmp_path):
    """The recording is no rival; what a vocoder loses on a voice that it has not heard is told."""
    systems = {
        "recording": dict(dnsmos=[3.0, 3.0], pesq=[4.64, 4.64]),
        "griffin_lim": dict(dnsmos=[2.0, 2.5], pesq=[2.0, 2.5]),
        "world": dict(dnsmos=[2.8, 3.0], pesq=[2.25, 2.25]),
        "model": dict(dnsmos=[2.5, 2.9], pesq=[3.0, 3.5]),
        "held_out": dict(dnsmos=[2.5, 2.9], pesq=[2.75, 3.25]),
    }
    files = {name: scores(tmp_path / f"{name}.json", **values) for name, values in systems.items()}
    write_results(tmp_path / "RESULTS.md", HEADER, {"kerstin": files}, COPIES)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "in bold the best of the vocoders\n\n## kerstin\n\n| | DNSMOS, 1 to 5 ↑ | PESQ" in text
    assert (
        "| the recording itself | 3.00 [3.00, 3.00] | 4.64 [4.64, 4.64] |\n"
        "| WORLD | **2.90** [2.80, 3.00] | 2.25 [2.25, 2.25] |\n"
        "| Griffin-Lim | 2.25 [2.00, 2.50] | 2.25 [2.00, 2.50] |\n"
        "| **trained without this voice** | 2.70 [2.50, 2.90] | 3.00 [2.75, 3.25] |\n"
        "| **vocoder** | 2.70 [2.50, 2.90] | **3.25** [3.00, 3.50] |\n\n"
        "- The model is not the best in DNSMOS: -0.20 [-0.30, -0.10] from WORLD.\n"
        "- Training without this voice changes: DNSMOS +0.00 [+0.00, +0.00]; "
        "PESQ -0.25 [-0.25, -0.25].\n"
    ) in text


def test_the_recipes_script_of_copies(tmp_path):
    for run, steps in ((".", 20000), ("without-b", 5000)):
        (tmp_path / run / "model").mkdir(parents=True)
        (tmp_path / run / "model/config.yaml").write_text(
            f"card: {{experiment: vocos_small, steps: {steps}}}\n"
        )
    (tmp_path / "scores").mkdir()
    for name in ("all", "all.world", "b", "b.held_out"):
        scores(tmp_path / f"scores/{name}.json", pesq=[3.0, 3.5])
    command = [sys.executable, SCRIPT, "copies", tmp_path, "abc123", "./run.sh", "all", "b"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.startswith("# vocos_small\n\n    ./run.sh\n\n- scored at commit: abc123\n")
    assert "- steps: 20,000\n- steps without b: 5,000\n" in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## All voices", "## b, heard in training or not", "## Protocol"]
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| **")]
    assert rows == ["| **vocoder**", "| **trained without this voice**", "| **vocoder**"]
