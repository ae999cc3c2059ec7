"""Scores that choose a checkpoint, on frames whose distances are known; what is left on disk."""

import json
import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch
import yaml
from test_config import make_dump, tiny_config
from tiny_model import CONFIG, make_converter

from voiceconv import audio
from voiceconv.commands.train import prepare_trainer
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram
from voiceconv.metrics.wave_input import validate
from voiceconv.models.base import Translator
from voiceconv.models.identity import IdentityTranslator
from voiceconv.runs.scores import ParallelScore, UnpairedScore, read_val, spread
from voiceconv.runs.vocoder_validation import VocoderValidation

N_CHANNELS, N_FRAMES = 24, 50


class Constant(Translator):
    def __init__(self, value=0.0):
        super().__init__()
        self.value = value

    def forward(self, frames, source, target):
        return torch.full_like(frames, self.value)


@pytest.fixture
def converter():
    """Of two domains whose frames both have mean 0 and deviation 1 already."""
    made = make_converter(CONFIG)
    for stats in made.stats.values():
        stats.frames_mean.zero_()
        stats.frames_std.fill_(1)
    made.translator = IdentityTranslator()
    return made


BOTH = [("high", "low"), ("low", "high")]


def noise(seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((N_CHANNELS, N_FRAMES)))


def score(frames, converter, n_pairs=20):
    return ParallelScore(frames, n_pairs, converter.directions)(converter, {})


def test_the_same_frames_are_at_distance_0(converter):
    frames = {name: {"a": noise(0), "b": noise(1)} for name in converter.domains}
    measures = score(frames, converter)
    assert len(measures) == 5
    assert measures == dict.fromkeys(measures, 0.0)


def test_an_offset_of_one_coefficient_is_its_distortion(converter):
    """Constant frames, c_3 off by 0.1: 10 / ln 10 * sqrt(2) * 0.1 dB whatever the path."""
    low, high = (torch.zeros(N_CHANNELS, N_FRAMES) for _ in range(2))
    high[3] += 0.1
    measures = score({"low": {"a": low}, "high": {"a": high}}, converter)
    expected = 10 / math.log(10) * math.sqrt(2) * 0.1
    assert measures["distortion/low_to_high"] == pytest.approx(expected, rel=1e-6)
    assert measures["score"] == pytest.approx(expected, rel=1e-6)  # deviations are 0 on both sides


def test_twice_the_deviation_is_6_db_of_variance(converter):
    low, high = noise(0), noise(0)
    high[1:] *= 2
    measures = score({"low": {"a": low}, "high": {"a": high}}, converter)
    for name in ("global_variance/low_to_high", "global_variance/high_to_low"):
        assert measures[name] == pytest.approx(20 * math.log10(2), abs=1e-5)
    distortions = [measures[f"distortion/{way}"] for way in ("low_to_high", "high_to_low")]
    expected = np.mean(distortions) + 20 * math.log10(2)
    assert measures["score"] == pytest.approx(expected, abs=1e-5)


def test_a_smooth_mean_is_worse_than_nothing_done(converter):
    """It has less distortion than the unconverted frames; its variance gives it away."""
    frames = {"low": {"a": noise(0)}, "high": {"a": noise(1)}}
    unconverted = score(frames, converter)
    converter.translator = Constant()
    mean = score(frames, converter)
    assert mean["distortion/low_to_high"] < unconverted["distortion/low_to_high"]
    assert mean["score"] > unconverted["score"] + 50


def test_frames_40_db_below_the_loudest_do_not_count(converter):
    low, high = noise(0), noise(0)
    for frames in (low, high):
        frames[0] = 0
        frames[0, 30:] = -4.7  # nepers: 40.8 dB
    high[1:, 30:] += 1
    assert score({"low": {"a": low}, "high": {"a": high}}, converter)["score"] == 0
    low[0, 30:] = high[0, 30:] = -4.5
    assert score({"low": {"a": low}, "high": {"a": high}}, converter)["score"] > 0.1


def test_only_shared_sentences_pair_and_no_more_than_asked_for():
    frames = {"low": dict.fromkeys("abc", noise(0)), "high": dict.fromkeys("bcd", noise(0))}
    assert ParallelScore(frames, 20, BOTH).pairs == {
        ("high", "low"): ["b", "c"],
        ("low", "high"): ["b", "c"],
    }
    assert ParallelScore(frames, 1, BOTH).pairs[("low", "high")] == ["b"]
    assert "over 4 conversions" in ParallelScore(frames, 20, BOTH).rule


@pytest.mark.parametrize("most", [1, 10, 25, 90, 100])
def test_directions_are_spread_over_the_domains(most):
    names = [f"d{n}" for n in range(10)]
    every = list(permutations(names, 2))
    chosen = spread(every, most)
    assert len(set(chosen)) == len(chosen) == min(most, 90)
    for side in (0, 1):
        counts = Counter(pair[side] for pair in chosen)
        assert max(counts.values()) - min(counts.get(name, 0) for name in names) <= 1
    assert most < 90 or chosen == every


def test_without_pairs_cycle_error_minus_similarity(converter, monkeypatch):
    class Encoder:
        """The voice is the sign of the first sample."""

        def embed(self, wave):
            return np.array([1.0, 0.0]) if wave[0] > 0 else np.array([0.6, 0.8])

    monkeypatch.setattr("voiceconv.runs.scores.SpeakerEncoder", Encoder)
    frames = {"low": {"a": noise(0)}, "high": {"b": noise(1)}}
    ones = torch.ones(2000)
    unpaired = UnpairedScore(frames, 5, BOTH, {"low": [ones], "high": [-ones]}, 16000)
    converted = {("low", "high"): [-ones], ("high", "low"): [-ones]}
    measures = unpaired(converter, converted)
    assert measures["cycle_error"] == 0
    assert measures["similarity"] == pytest.approx((1.0 + 0.6) / 2)
    assert measures["score"] == pytest.approx(-0.8)
    converter.translator = Constant(1.0)
    expected = np.mean([float((1 - noise(seed)).abs().mean()) for seed in (0, 1)])
    assert unpaired(converter, converted)["cycle_error"] == pytest.approx(expected, rel=1e-6)


class Broken(IdentityTranslator):
    """NaN where the first frame of the input is negative."""

    def forward(self, frames, source, target):
        bad = frames[0, 1, 0] < 0
        return torch.full_like(frames, math.nan) if bad else frames


def test_with_a_conversion_that_is_not_finite_a_step_has_no_score(converter, caplog):
    """Without it, the score would be 0, the best there is."""
    good, bad = noise(0), noise(1)
    good[1, 0], bad[1, 0] = 1.0, -1.0
    converter.translator = Broken()
    assert score({name: {"a": good} for name in converter.domains}, converter)["score"] == 0.0
    assert caplog.messages == []
    assert score({name: {"a": good, "b": bad} for name in converter.domains}, converter) == {}
    assert score({"low": {"a": good}, "high": {"a": bad}}, converter) == {}
    assert caplog.messages == [
        f"no validation score of high to low: frames of {stem} are NaN or infinite"
        for stem in ("b", "a")
    ]


def test_silence_and_nan_have_no_similarity(converter, monkeypatch, caplog):
    pytest.importorskip("resemblyzer")
    monkeypatch.setattr("resemblyzer.VoiceEncoder", lambda *_, **__: None)
    direction = np.array([0.6, 0.8])
    monkeypatch.setattr(
        "voiceconv.runs.scores.SpeakerEncoder.embed",
        lambda _, wave: validate(wave) or direction,
    )
    frames = {"low": {"a": noise(0)}, "high": {"b": noise(1)}}
    voice, silence = torch.ones(2000), torch.zeros(2000)
    voice[::2] = -1
    unpaired = UnpairedScore(frames, 5, BOTH, {"low": [voice, voice], "high": [voice]}, 16000)
    back = {("high", "low"): [voice]}
    whole = unpaired(converter, {**back, ("low", "high"): [voice, voice]})
    assert whole["similarity"] == pytest.approx(1.0)
    for bad in (silence, torch.full((2000,), math.nan)):
        assert unpaired(converter, {**back, ("low", "high"): [voice, bad]}) == {}
    assert [line.rpartition(": ")[0] for line in caplog.messages] == [
        "no validation score of low to high"
    ] * 2
    assert unpaired(converter, {**back, ("low", "high"): [voice]}) == {}  # one was not converted
    with pytest.raises(ValueError, match="at least one utterance"):
        UnpairedScore(frames, 5, BOTH, {"low": [silence], "high": [voice]}, 16000)


def test_mel_frames_as_cepstra():
    """log|H| = c_0 + c_1 cos(w) + 0.5 cos(2 w) at the middles of the channels."""
    mel = MelSpectrogram(16000, 512, 128, 40)
    w = (torch.arange(40) + 0.5) * math.pi / 40
    frames = (2 + 0.3 * w.cos() + 0.5 * (2 * w).cos())[:, None].repeat(1, 3)
    expected = torch.zeros(40, 3)
    expected[:3] = torch.tensor([2.0, 0.3, 0.5])[:, None]
    assert torch.allclose(mel.cepstra(frames), expected, atol=1e-6)


def with_val(folder, config, stems):
    """DUMP/val of noise, a sentence of each stem for each domain."""
    features = yaml.safe_load((folder / "dump/train/features.yaml").read_text())
    lengths = {domain: [40] * len(some) for domain, some in stems.items()}
    made = make_dump(folder / "other", features, lengths)
    (made / "train").rename(folder / "dump/val")
    for name in ("feats.scp", "utt2spk"):
        path = folder / "dump/val" / name
        lines = path.read_text().splitlines()
        for domain, some in stems.items():
            for number, stem in enumerate(some):
                lines = [line.replace(f"{domain}-{number} ", f"{domain}-{stem} ") for line in lines]
        path.write_text("\n".join(lines) + "\n")
    return config


def validated_run(tmp_path, n_steps):
    """A run of so many steps that validates after each."""
    return tiny_config(
        tmp_path,
        "cyclegan_vc2_small",
        f"trainer.n_steps={n_steps}",
        "trainer.validate_every=1",
        lengths={"low": [40, 60], "high": [50, 33]},
    )


def test_a_run_leaves_best_last_and_history(tmp_path):
    config = validated_run(tmp_path, 4)
    with_val(tmp_path, config, {"low": ["x", "y"], "high": ["x", "z"]})
    run = prepare_trainer(config, tmp_path / "run")
    assert run.run() is True
    history = json.loads((tmp_path / "run/validation.json").read_text())
    assert [entry["step"] for entry in history] == [1, 2, 3, 4]
    scores = {entry["step"]: entry["measures"]["score"] for entry in history}
    assert min(scores, key=scores.__getitem__) == run.best.step
    steps = {
        name: yaml.safe_load((tmp_path / f"run/{name}/config.yaml").read_text())["card"]["steps"]
        for name in ("model", "last")
    }
    assert steps == {"model": run.best.step, "last": 4}
    assert "over 2 conversions of val" in history[0]["rule"]


@pytest.mark.parametrize("content", ["[{", "7", "{}x", '[{"score": 1}]', "[1]"])
def test_a_damaged_history_is_named_before_training_begins(tmp_path, content):
    config = tiny_config(
        tmp_path, "cyclegan_vc2_small", lengths={"low": [40, 60], "high": [50, 33]}
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run/validation.json").write_text(content)
    with pytest.raises(InputError, match=r"validation\.json is damaged; delete it"):
        prepare_trainer(config, tmp_path / "run")


def test_silence_is_no_validation_audio(tmp_path):
    """It has no voice to be like, and its conversion is silence."""
    config = tiny_config(
        tmp_path, "cyclegan_vc2_small", lengths={"low": [40, 60], "high": [50, 33]}
    )
    val = tmp_path / "data/val"
    val.mkdir(parents=True)
    for name, wave in (("silent", torch.full((8000,), 0.1)), ("loud", 0.1 * torch.randn(8000))):
        audio.write(val / f"{name}.wav", wave, 24000)
    names = ("low-silent", "low-loud", "high-silent")
    (val / "wav.scp").write_text(
        "".join(f"{name} {val / name.split('-')[1]}.wav\n" for name in sorted(names))
    )
    (val / "utt2spk").write_text(
        "".join(f"{name} {name.split('-')[0]}\n" for name in sorted(names))
    )
    config.data.waves = str(tmp_path / "data")
    waves = prepare_trainer(config, tmp_path / "run").validator.waves
    assert {domain: [len(wave) for wave in some] for domain, some in waves.items()} == {
        "low": [8000]
    }


def test_what_val_holds(tmp_path):
    config = tiny_config(
        tmp_path, "cyclegan_vc2_small", lengths={"low": [40, 60], "high": [50, 33]}
    )
    assert read_val(tmp_path / "dump/val", ["high", "low"]) == {}
    with_val(tmp_path, config, {"low": ["x", "y"], "high": ["x"]})
    frames = read_val(tmp_path / "dump/val", ["high", "low"])
    assert {domain: list(some) for domain, some in frames.items()} == {
        "low": ["x", "y"],
        "high": ["x"],
    }
    assert frames["low"]["x"].shape == (36, 40)
    assert read_val(tmp_path / "dump/val", ["high", "low", "third"]) == {}


def test_scores_of_two_rules_do_not_mix(tmp_path):
    lengths = {"low": [40, 60], "high": [50, 33]}
    config = tiny_config(tmp_path, "cyclegan_vc2_small", lengths=lengths)
    with_val(tmp_path, config, {"low": ["x", "y"], "high": ["x", "y"]})
    assert prepare_trainer(config, tmp_path / "run").run() is True
    config.trainer.n_steps, config.validation.n_scored = 2, 2
    with pytest.raises(InputError, match="another rule .*over 4 .*over 2 .*another run_dir"):
        prepare_trainer(config, tmp_path / "run")


def test_a_network_that_cannot_convert_shows_nothing(tmp_path, caplog):
    lengths = {"low": [40, 60], "high": [50, 33]}
    config = tiny_config(tmp_path, "cyclegan_vc2_small", lengths=lengths)
    validation = prepare_trainer(config, tmp_path / "run").validator
    validation.converter.translator = Constant(math.nan)
    tone = 0.1 * torch.sin(torch.arange(24000) * 0.05)
    assert validation._converted(tone, "low", "high") is None
    assert caplog.messages == ["no validation audio of low to high: it is NaN or infinite"]


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_silent_copy_or_a_nan_is_as_bad_as_can_be(tmp_path, value):
    """And a silent original is left out."""
    pytest.importorskip("pesq")
    config = {"features": {"sample_rate": 16000}}
    validation = VocoderValidation(tmp_path, config, [], 1, 0, False)
    wave = np.random.default_rng(0).standard_normal(8000)
    assert validation._compare(wave, np.full(8000, value)) == {"pesq": 1.04}
    assert validation._compare(np.zeros(8000), wave) == {}


def test_a_broken_validation_ends_no_training(tmp_path, capsys, monkeypatch):
    """Every conversion is NaN from the second validation on: the first model ships."""
    config = validated_run(tmp_path, 3)
    with_val(tmp_path, config, {"low": ["x"], "high": ["x"]})
    run = prepare_trainer(config, tmp_path / "run")
    of_one, seen = run.validator.score._cepstra, []

    def cepstra(*of):
        seen.append(of)
        return of_one(*of) if len(seen) <= 2 else None

    monkeypatch.setattr(run.validator.score, "_cepstra", cepstra)
    assert run.run() is True
    assert run.best.step == 1 and math.isfinite(run.best.score)
    assert capsys.readouterr().err.count("a conversion cannot be scored: this step cannot") == 2
    assert len(json.loads((tmp_path / "run/validation.json").read_text())) == 1
    card = yaml.safe_load((tmp_path / "run/model/config.yaml").read_text())["card"]
    assert card["steps"] == 1


def test_without_a_score_it_is_said_once_and_the_newest_ships(tmp_path, capsys):
    config = validated_run(tmp_path, 3)
    assert prepare_trainer(config, tmp_path / "run").run() is True
    said = capsys.readouterr().err
    assert said.count("no validation score") == 1
    assert "val has no utterance of every domain): the newest model ships" in said
    card = yaml.safe_load((tmp_path / "run/model/config.yaml").read_text())["card"]
    assert card["steps"] == 3
