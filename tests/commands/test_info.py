"""`voiceconv info experiment=NAME`: the figures that it gave before, and of any translator."""

import sys
from types import ModuleType

import pytest
import torch
import yaml
from torch import nn

from voiceconv.commands.info import experiment_info
from voiceconv.errors import InputError
from voiceconv.models import Translator

SMALL = {  # parameters, multiply-accumulates a second and frames of a generator; of a discriminator
    "cyclegan_vc": ((2_423_768, 136_601_600.0, 161), (1_379_585, 134_112_000.0, 128)),
    "cyclegan_vc2": ((945_073, 501_465_600.0, 161), (360_193, 74_211_200.0, 65)),
    "cyclegan_vc3": ((1_727_825, 1_589_664_000.0, 161), (360_193, 73_245_000.0, 65)),
    "maskcyclegan_vc": ((1_039_697, 534_024_000.0, 161), (360_193, 73_245_000.0, 65)),
}
FIGURES = ("parameters", "macs_per_second", "context_frames")


@pytest.mark.parametrize("name", SMALL)
def test_figures_of_the_small_experiments(name):
    found = experiment_info([f"experiment={name}_small"])["networks"]
    assert list(found) == ["generator", "discriminator"]
    assert tuple(tuple(one[key] for key in FIGURES) for one in found.values()) == SMALL[name]


@pytest.mark.parametrize(
    ("experiment", "override", "sentence"),
    [
        (
            "cyclegan_vc2_small",
            "trainer.gradient_clip=0",
            "trainer.gradient_clip is 0; it takes a ",
        ),
        ("vocos_small", "trainer.gradient_clip=0", "trainer.gradient_clip is 0; it takes a number"),
        ("vocos_small", "trainer.n_setps=3", "Could not override 'trainer.n_setps'. To append to"),
    ],
)
def test_an_override_that_training_would_refuse_is_refused(experiment, override, sentence):
    with pytest.raises(InputError, match=f"^{sentence}"):
        experiment_info([f"experiment={experiment}", override])


class OneNetwork(Translator):
    """All directions by one network, told the target by a channel of its own."""

    def __init__(self, n_channels: int, n_domains: int, width: int) -> None:
        super().__init__()
        self.n_domains = n_domains
        self.entry = nn.Conv1d(n_channels + n_domains, width, 7, padding=3)
        self.exit = nn.Conv1d(width, n_channels, 1)

    def forward(self, frames, source, target, **condition):
        told = torch.zeros(len(frames), self.n_domains, frames.shape[-1], device=frames.device)
        told[:, target] = 1
        return self.exit(self.entry(torch.cat([frames, told], dim=1)))


def test_a_translator_without_generators_is_described_as_a_whole(tmp_path, monkeypatch):
    module = ModuleType("voiceconv.models.one_network")
    module.OneNetwork = OneNetwork
    monkeypatch.setitem(sys.modules, "voiceconv.models.one_network", module)
    (tmp_path / "translator").mkdir()
    node = {"_target_": "voiceconv.models.one_network.OneNetwork", "width": 5}
    (tmp_path / "translator/one_network.yaml").write_text(yaml.safe_dump(node))
    words = ["translator=one_network", "discriminator.base_channels=8"]
    found = experiment_info(words, tmp_path)["networks"]
    assert list(found) == ["translator", "discriminator"]
    # 36 mel-cepstra and two domains, 200 frames a second
    assert found["translator"] == {
        "parameters": 38 * 5 * 7 + 5 + 5 * 36 + 36,
        "macs_per_second": 200 * (38 * 5 * 7 + 5 * 36),
        "context_frames": 7,
    }


def test_networks_that_know_domains_are_counted_for_as_many():
    """The fact sheet's counts, of StarGAN-VC's figure 3."""
    found = experiment_info(["experiment=stargan_vc"], n_domains=4)["networks"]
    counts = {name: one["parameters"] for name, one in found.items()}
    assert counts == {"translator": 1_929_003, "discriminator": 167_953, "classifier": 33_716}
