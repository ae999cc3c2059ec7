"""CONTRIBUTING.md's worked example, taken from its text, builds, sees what it says, and trains."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from voiceconv.build import build, compose_config
from voiceconv.errors import InputError
from voiceconv.models.base import Translator
from voiceconv.runs.settings import CONVERTER, check_settings

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the one fenced block of this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


@pytest.fixture
def translator(monkeypatch) -> Translator:
    """The example's translator for 36 channels and 2 domains, from its Python and its YAML."""
    module = ModuleType("voiceconv.models.dilated")
    exec(compile(block("python"), "CONTRIBUTING.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "voiceconv.models.dilated", module)
    torch.manual_seed(0)
    return build(yaml.safe_load(block("yaml")), Translator, n_channels=36, n_domains=2)


def test_it_keeps_any_length(translator):
    for n_frames in (1, 7, 128):
        assert translator(torch.zeros(2, 36, n_frames), 0, 1).shape == (2, 36, n_frames)


def test_it_sees_63_frames_each_way(translator):
    frames = torch.randn(1, 36, 200)
    before = translator(frames, 0, 1)
    frames[..., 100] += 1.0
    changed = (translator(frames, 0, 1) != before).any(dim=1).squeeze().nonzero().squeeze()
    assert (changed.min().item(), changed.max().item()) == (100 - 63, 100 + 63)


def test_it_learns_one_batch(translator):
    source, target = torch.randn(2, 1, 36, 64)
    optimizer = torch.optim.Adam(translator.parameters(), lr=2e-3)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.l1_loss(translator(source, 0, 1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_its_command_composes(translator, tmp_path):
    """The `voiceconv train` line of the text, with the YAML where it says."""
    (tmp_path / "translator").mkdir()
    (tmp_path / "translator/dilated.yaml").write_text(block("yaml"))
    (command,) = re.findall(r"^    voiceconv train (.*)$", TEXT, re.MULTILINE)
    config = compose_config([f"hydra.searchpath=[file://{tmp_path}]", *command.split()])
    built = build(config.translator, Translator, n_channels=36, n_domains=2)
    assert [p.shape for p in built.parameters()] == [p.shape for p in translator.parameters()]
    assert (config.data.dump, config.discriminator.base_channels) == ("dump", 32)
    config.name = "dilated"
    check_settings(config, CONVERTER)
    config.translator.generator.n_layers = 0
    with pytest.raises(InputError, match="^translator.generator.n_layers is 0; it takes a whole n"):
        check_settings(config, CONVERTER)


def test_every_package_of_the_table_exists():
    root = Path(__file__).parents[1] / "voiceconv"
    names = re.findall(r"`((?:conf/)?\w+)/<\w+>\.(?:py|yaml)`", TEXT)
    assert len(names) >= 9
    assert [name for name in names if not (root / name).is_dir()] == []
