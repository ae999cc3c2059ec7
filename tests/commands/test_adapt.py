"""`voiceconv adapt`: a model gets one more voice, and what it had before stays to the bit."""

import os
import signal
from pathlib import Path

import pytest
import torch
import yaml
from tiny_model import CONFIG, Cli, make_cli, make_converter, record, speech

from voiceconv.commands import adapt as command
from voiceconv.commands.adapt import adapt
from voiceconv.converter import Converter
from voiceconv.converter.directory import digest
from voiceconv.errors import InputError, RunError

ANY_TO_MANY = {
    "_target_": "voiceconv.models.any_to_many.AnyToManyTranslator",
    "width": 16,
    "code_channels": 4,
}


LEAST = 5.0  # seconds of speech, for short clips


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(command, "LEAST", LEAST)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    converter = make_converter(CONFIG | {"translator": ANY_TO_MANY})
    converter.novelty = Converter.from_pretrained("four-voices").novelty
    card = {"steps": 7, "licence": "CC0-1.0", "data": "two vowels", "consent": "both agreed"}
    converter.save_pretrained(folder, card)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """6 s of speech at 150 Hz."""
    folder = tmp_path_factory.mktemp("voices") / "higher"
    for number in range(2):
        record(folder / f"{number}.wav", speech(150.0, 3.0, seed=number))
    return folder


@pytest.fixture(scope="module")
def adapted(base, clips, tmp_path_factory) -> Path:
    """With the module's own patch: fixtures of a module come before those of a test."""
    folder = tmp_path_factory.mktemp("adapted") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "LEAST", LEAST)
        made = adapt(str(base), [str(clips)], folder, n_steps=3)
    assert made.domain == "higher" and made.n_steps == 3
    assert made.minutes == pytest.approx(6 / 60, abs=0.01)
    return folder


def conversions(model: Path, *targets: str) -> list[torch.Tensor]:
    converter = Converter.from_pretrained(model)
    return [converter.convert(speech(130.0, 0.6), target) for target in targets]


def test_the_old_targets_stay_to_the_bit_and_the_new_one_is_another(base, adapted):
    """The new domain lies between the old ones: their domain_ids move."""
    assert Converter.from_pretrained(adapted).domains == ["high", "higher", "low"]
    before = conversions(base, "high", "low")
    *after, new = conversions(adapted, "high", "low", "higher")
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)
    assert all((new - one).abs().max() > 1e-3 for one in before)
    stats = [Converter.from_pretrained(model).stats for model in (base, adapted)]
    assert torch.equal(stats[0]["low"].frames_mean, stats[1]["low"].frames_mean)
    assert stats[1]["higher"].log_f0[0].exp().item() == pytest.approx(150.0, rel=0.02)


def test_an_adapted_model_can_be_adapted_again(adapted, clips, tmp_path):
    adapt(str(adapted), [str(clips / "*.wav")], tmp_path / "two", name="bass", n_steps=2)
    targets = "high", "higher", "low"
    for one, other in zip(
        conversions(adapted, *targets), conversions(tmp_path / "two", *targets), strict=True
    ):
        assert torch.equal(one, other)
    card = yaml.safe_load((tmp_path / "two/config.yaml").read_text())["card"]
    assert [one["domain"] for one in card["adapted"]] == ["higher", "bass"]


def test_the_card_says_of_what_and_how_a_voice_was_added(base, adapted):
    card = yaml.safe_load((adapted / "config.yaml").read_text())["card"]
    (run,) = card["adapted"]
    assert run["digest"] == digest(base) and run["from"] == "tiny"
    assert (run["domain"], run["steps"], run["seed"]) == ("higher", 3, 0)
    assert run["minutes"] == pytest.approx(0.1, abs=0.01)
    assert card["data"] == "two vowels" and card["licence"] is None and card["consent"] is None
    text = (adapted / "README.md").read_text()
    assert f"| voice higher | added to tiny (sha256 {digest(base)[:16]}) from 0.1" in text


def test_an_adapted_model_still_warns(adapted):
    novelty, before = (Converter.from_pretrained(one).novelty for one in (adapted, "four-voices"))
    assert novelty is not None and before is not None
    assert torch.equal(novelty.held_out, before.held_out)


def test_the_same_call_gives_the_same_model(base, adapted, clips, tmp_path):
    adapt(str(base), [str(clips)], tmp_path / "again", n_steps=3)
    assert digest(tmp_path / "again") == digest(adapted)
    adapt(str(base), [str(clips)], tmp_path / "other", n_steps=3, seed=1, licence="CC0-1.0")
    assert digest(tmp_path / "other") != digest(adapted)
    assert "| licence | CC0-1.0 |" in (tmp_path / "other/README.md").read_text()


def test_steps_fill_the_minutes(base, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_seconds_a_step", lambda make: 2.0)
    made = adapt(str(base), [str(clips)], tmp_path / "new", minutes=0.5)
    assert 5 <= made.n_steps <= 14  # 30 s without what was needed for reading


def test_what_was_interrupted_is_not_there(base, clips, tmp_path, monkeypatch):
    step = command.Adaptation.step

    def interrupted(adaptation):
        os.kill(os.getpid(), signal.SIGINT)
        return step(adaptation)

    monkeypatch.setattr(command.Adaptation, "step", interrupted)
    with pytest.raises(RunError, match=r"stopped at step 1 of 5; .*new was not written"):
        adapt(str(base), [str(clips)], tmp_path / "new", n_steps=5)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_from_the_command_line(voiceconv, base, clips, tmp_path):
    new = tmp_path / "new"
    said = voiceconv("adapt", base, clips, "-o", new, "--steps", 1, "--name", "mid")
    assert said.code == 0 and f"voiceconv convert IN --target mid --model {new}" in said.out
    assert "only 6 s of speech; 1 to 3 minutes make a better voice" in said.out
    wave = record(tmp_path / "in.wav", speech(130.0, 0.4))
    made = voiceconv("convert", wave, "--target", "mid", "--model", new, "-o", tmp_path / "x.wav")
    assert made.code == 0 and (tmp_path / "x.wav").exists()
    again = voiceconv("adapt", base, clips, "-o", new, "--steps", 1)
    assert again.code == 2 and "it is there already; choose another place" in again.err


def test_what_cannot_be_adapted_is_refused_in_a_sentence(base, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "LEAST", 20.0)
    pair = tmp_path / "pair"
    make_converter().save_pretrained(pair, {})
    short = record(tmp_path / "short/a.wav", speech("high", 1.0)).parent
    for model, given, name, why in [
        (pair, clips, None, "PairTranslator, to which no voice can be added; .*four-voices"),
        (base, clips, "low", "has a voice 'low' already; choose another name by --name"),
        (base, clips, "two words", "no voice can be called 'two words'"),
        (base, clips / "0.wav", None, "no single folder, whose name the voice could have; --name"),
        (base, short, None, "hold 1 s of speech, .* less than 20 s; give 1 to 3 minutes"),
        (base, tmp_path / "pair", "x", "no sound file in"),
    ]:
        with pytest.raises(InputError, match=why):
            adapt(str(model), [str(given)], tmp_path / "new", name, n_steps=1)
        assert not (tmp_path / "new").exists()
