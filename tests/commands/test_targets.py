"""What --mix and --style say of a target, and what the conversion makes of it."""

from dataclasses import fields

import pytest
import torch
from tiny_model import CONFIG, PITCH, Cli, make_cli, make_converter, record, speech
from torch import Tensor

from voiceconv.commands.targets import main_part, read_mix, read_style, seeded, style_name
from voiceconv.converter import Converter
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, convert_f0
from voiceconv.models import Translator

ANY_TO_MANY = {
    "_target_": "voiceconv.models.any_to_many.AnyToManyTranslator",
    "width": 16,
    "code_channels": 4,
}


class Styled(Translator):
    """Adds its style to the first channels of the frames."""

    def forward(self, frames, source, target, **condition: Tensor) -> Tensor:
        style = condition["style"][0]
        shift = torch.zeros(frames.shape[1])
        shift[: len(style)] = style
        return frames + shift[:, None]

    def default_condition(self) -> dict[str, Tensor]:
        return {"style": torch.zeros(1, 2)}

    def encode_style(self, frames: Tensor, domain: int) -> Tensor:
        return frames.mean(2)[:, :2] + 10 * domain

    def sample_style(self, seed: int) -> Tensor:
        return torch.full((1, 2), float(seed))


@pytest.fixture(scope="module")
def mixing() -> Converter:
    return make_converter(CONFIG | {"translator": ANY_TO_MANY})


@pytest.fixture
def styled() -> Converter:
    converter = make_converter()
    converter.translator = Styled()
    return converter


@pytest.fixture
def cli(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_a_mix_is_read_as_shares_of_domains():
    assert read_mix("low:0.7,a:b:2") == {"low": 0.7, "a:b": 2.0}
    assert main_part({"a": 0.2, "b": 0.5, "c": 0.3}) == "b"


@pytest.mark.parametrize(
    "text", ["low", "low:", "low:x", "low:0", "low:-1", ":1", "low:nan", "low:inf", "low:1,low:2"]
)
def test_what_is_no_mix_is_refused(text):
    with pytest.raises(InputError, match="write --mix nathalie:0.7,kathleen:0.3"):
        read_mix(text)


def test_statistics_of_a_mixture_are_weighted_means(mixing):
    high, low = (mixing.stats[domain] for domain in ("high", "low"))
    mixed = DomainStats.mixture([high, low], [3.0, 1.0])
    for field in fields(DomainStats):
        wanted = 0.75 * getattr(high, field.name) + 0.25 * getattr(low, field.name)
        assert torch.allclose(getattr(mixed, field.name), wanted, atol=1e-5), field.name
    f0 = torch.tensor([high.log_f0[0].exp()])
    middle = (0.75 * high.log_f0[0] + 0.25 * low.log_f0[0]).exp()
    assert convert_f0(f0, high, mixed).item() == pytest.approx(middle.item(), rel=1e-4)


def test_a_mixture_of_one_is_its_target_to_the_bit(mixing):
    wave = speech(150.0, 0.5)
    plain = mixing.convert(wave, "high")
    whole = mixing.convert(wave, "low", condition={"mix": torch.tensor([[5.0, 0.0]])})
    assert torch.equal(plain, whole)
    half = mixing.convert(wave, "low", condition={"mix": torch.tensor([[1.0, 1.0]])})
    assert (half - plain).abs().max() > 1e-3
    assert (half - mixing.convert(wave, "low")).abs().max() > 1e-3


def test_a_networks_mixture_is_of_its_voices_codes(mixing):
    network, frames = mixing.translator, torch.randn(1, 24, 16)
    with torch.no_grad():
        for block in network.decoder:
            block.domains.weight.copy_(torch.stack([torch.ones(32), 3 * torch.ones(32)]))
        mixed = network(frames, 0, 0, mix=torch.tensor([[0.5, 0.5]]))
        for block in network.decoder:
            block.domains.weight.fill_(2.0)
        assert torch.allclose(mixed, network(frames, 0, 1), atol=1e-6)


def test_convert_mixes_voices_from_the_command_line(mixing, cli, tmp_path):
    mixing.save_pretrained(tmp_path / "model", {})
    wave = record(tmp_path / "in.wav", speech(150.0, 0.4))
    model = ("--model", tmp_path / "model")
    made = cli("convert", wave, "--mix", "high:0.5,low:1.5", *model, "-o", tmp_path / "x.wav")
    assert made.code == 0 and (tmp_path / "x.wav").exists()
    for words, what in [
        ((), "give a target"),
        (("--mix", "high:1", "--target", "low"), "give a target"),
        (("--mix", "high:1,bass:1"), "no target 'bass'"),
        (("--mix", "high"), "no share"),
    ]:
        refused = cli("convert", wave, *words, *model, "-o", tmp_path / "y.wav")
        assert refused.code == 2 and what in refused.err
    assert not (tmp_path / "y.wav").exists()


def test_a_model_of_pairs_mixes_none(cli, tmp_path):
    make_converter().save_pretrained(tmp_path / "model", {})
    wave = record(tmp_path / "in.wav", speech(150.0, 0.4))
    refused = cli("convert", wave, "--mix", "high:1,low:1", "--model", tmp_path / "model")
    assert refused.code == 2 and "this model mixes none; choose one domain" in refused.err
    style = ("--target", "high", "--style", "sample:1")
    refused = cli("convert", wave, *style, "--model", tmp_path / "model")
    assert refused.code == 2 and "this model takes no styles" in refused.err


def test_a_sampled_style_is_that_of_its_seed(styled):
    condition, stats = read_style("sample:7", styled, "low")
    assert condition["style"].tolist() == [[7.0, 7.0]] and stats is None
    with pytest.raises(InputError, match="'x' is no seed"):
        read_style("sample:x", styled, "low")
    assert seeded("sample:7") == "sample:7" and seeded("sample").startswith("sample:")


def test_a_recordings_style_comes_with_its_statistics(styled, tmp_path):
    clip = record(tmp_path / "clip.wav", speech(300.0, 1.0))
    condition, stats = read_style(str(clip), styled, "low")
    # normalised by its own statistics, its frames have a mean of 0; "low" is domain 1
    assert condition["style"][0].tolist() == pytest.approx([10.0, 10.0], abs=1e-3)
    assert stats.log_f0[0].exp() == pytest.approx(300.0, rel=0.05)
    assert PITCH["low"] < 200 < stats.log_f0[0].exp()


def test_names_of_outputs_say_the_style():
    assert style_name("sample:3") == "sample-3"
    assert style_name("folder/clip.flac") == "clip"
