"""Nodes to objects; and a model directory from a stranger can't run code."""

import pytest
import torch
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from voiceconv.build import (
    as_override,
    build,
    build_factory,
    class_of,
    compose_config,
    same_settings,
)
from voiceconv.errors import InputError
from voiceconv.features import FeatureExtractor, MelSpectrogram
from voiceconv.models import Discriminator, PairTranslator, Translator
from voiceconv.models.cyclegan_vc2 import Generator212, PatchDiscriminator
from voiceconv.objectives import Objective
from voiceconv.objectives.cyclegan import CycleGAN

MEL = {"_target_": "voiceconv.features.mel.MelSpectrogram", "n_mels": 40}
PAIR = {
    "_target_": "voiceconv.models.base.PairTranslator",
    "generator": {
        "_target_": "voiceconv.models.cyclegan_vc2.Generator212",
        "_partial_": True,
        "base_channels": 8,
        "n_residual_blocks": 1,
    },
}


def test_a_node_is_its_class_with_its_keywords():
    mel = build(MEL, FeatureExtractor)
    assert type(mel) is MelSpectrogram
    assert (mel.n_channels, mel.sample_rate) == (40, 22050)


def test_nested_nodes_and_what_code_passes():
    translator = build(PAIR, Translator, n_channels=16, n_domains=3)
    assert type(translator) is PairTranslator
    assert len(translator.generators) == 6
    assert all(type(one) is Generator212 for one in translator.generators.values())
    assert translator(torch.zeros(1, 16, 8), 2, 0).shape == (1, 16, 8)


def test_a_factory_is_called_later_with_the_rest():
    node = {"_target_": "torch.optim.Adam", "lr": 0.25, "betas": [0.5, 0.999]}
    make = build_factory(node, torch.optim.Optimizer)
    (group,) = make([torch.nn.Parameter(torch.zeros(1))]).param_groups
    assert (group["lr"], tuple(group["betas"])) == (0.25, (0.5, 0.999))
    discriminator = {"_target_": "voiceconv.models.cyclegan_vc2.PatchDiscriminator"}
    made = build_factory(discriminator | {"base_channels": 8}, Discriminator, n_channels=16)
    one, other = made(), made()
    assert type(one) is PatchDiscriminator
    assert one.exit.weight.data_ptr() != other.exit.weight.data_ptr()


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"rate": 0.1}])
def test_a_factorys_wrong_keyword_or_value_is_a_sentence(wrong):
    make = build_factory({"_target_": "torch.optim.Adam"} | wrong, torch.optim.Optimizer)
    with pytest.raises(InputError, match="torch.optim.Adam could not be built: "):
        make([torch.nn.Parameter(torch.zeros(1))])


def test_what_must_be_made_now_is_not_left_half_made():
    with pytest.raises(InputError, match="half made"):
        build(MEL | {"_partial_": True}, FeatureExtractor)


def test_a_hydra_node_builds_the_same_and_its_interpolations_are_resolved():
    config = OmegaConf.create({"bands": 40, "node": MEL | {"n_mels": "${bands}"}})
    assert build(config.node, FeatureExtractor).n_channels == 40


def test_building_leaves_the_node_as_it_is():
    node = yaml.safe_load(yaml.safe_dump(PAIR))
    build(node, Translator, n_channels=16, n_domains=2)
    assert node == PAIR


FOREIGN = [
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "pathlib.Path",
    "torch.load",
    "torch.nn.Linear",
    "hydra.utils.instantiate",
    "voiceconv.build.build",
    "voiceconv.commands.train.train_command",
    "voiceconv.data.archive.ArchiveWriter",
    "voiceconvolution.features.Evil",
    "torch.optimism.Evil",
    "system",
    "",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_a_foreign_class_is_refused(target):
    with pytest.raises(InputError, match="asks for .*; only classes of voiceconv.features"):
        build({"_target_": target, "args": "true"}, FeatureExtractor)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda evil: MEL | {"f_max": evil},
        lambda evil: MEL | {"f_max": [evil]},
        lambda evil: MEL | {"f_max": [1, [{"deep": [evil]}]]},
        lambda evil: MEL | {"f_max": (evil,)},
        lambda evil: MEL | {"no_such_keyword": evil},
        lambda evil: MEL | {"_args_": [evil]},
        lambda evil: PAIR | {"generator": PAIR["generator"] | {"base_channels": evil}},
        lambda evil: {"features": evil, **MEL},
    ],
)
def test_a_foreign_class_anywhere_in_the_node_is_refused_and_not_run(tmp_path, wrap):
    made = tmp_path / "owned"
    node = wrap({"_target_": "os.mkdir", "path": str(made)})
    for tree in (node, OmegaConf.create(node)):
        with pytest.raises(InputError, match="'os.mkdir'"):
            build(tree, FeatureExtractor)
    assert not made.exists()


@pytest.mark.parametrize(
    "text",
    [
        "${oc.create:{_target_:os.mkdir,_args_:[PATH]}}",
        "${oc.decode:'{_target_: os.mkdir, path: PATH}'}",
        "x${oc.env:HOME}",
    ],
)
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text], lambda text: {text: 1}])
def test_an_interpolation_of_a_stranger_is_refused_and_not_run(tmp_path, text, wrap):
    """oc.create makes nodes out of text, where no look at the tree would find them."""
    made = tmp_path / "owned"
    with pytest.raises(InputError, match="write the value itself"):
        build(MEL | {"f_max": wrap(text.replace("PATH", str(made)))}, FeatureExtractor)
    assert not made.exists()


def test_an_escaped_interpolation_does_not_come_through_hydra_either(tmp_path):
    made = tmp_path / "owned"
    text = r"\${oc.create:{_target_:os.mkdir,_args_:[" + str(made) + "]}}"
    with pytest.raises(InputError):
        build(OmegaConf.create(MEL | {"f_max": text}), FeatureExtractor)
    assert not made.exists()


def test_a_function_is_no_class():
    node = {"_target_": "voiceconv.features.stats.load_stats", "path": "x"}
    with pytest.raises(InputError, match="load_stats', which is no class"):
        build(node, FeatureExtractor)


@pytest.mark.parametrize("name", ["lr_scheduler.partial", "optimizer.defaultdict"])
def test_what_a_module_only_imports_is_not_its_own(name):
    """`torch.optim.lr_scheduler.partial` is functools', and would call what a node names."""
    with pytest.raises(InputError, match="which is no class of these packages"):
        build({"_target_": f"torch.optim.{name}"}, Translator)


@pytest.mark.parametrize("name", ["voiceconv.features.mel.Gone", "voiceconv.features.gone.Mel"])
def test_a_class_that_is_not_there_is_named(name):
    with pytest.raises(InputError, match=f"'{name}', which this version of voiceconv does not"):
        build({"_target_": name}, FeatureExtractor)


def test_a_class_of_another_kind_is_refused():
    with pytest.raises(InputError, match="MelSpectrogram is no Translator"):
        build(MEL, Translator)
    with pytest.raises(InputError, match="MelSpectrogram is no Optimizer"):
        build_factory(MEL, torch.optim.Optimizer)


def test_a_wrong_keyword_is_a_sentence_that_lists_the_right_ones():
    with pytest.raises(InputError) as caught:
        build(MEL | {"n_bands": 3}, FeatureExtractor)
    message = str(caught.value)
    assert "\n" not in message
    assert "n_bands" in message
    assert "(it takes sample_rate, n_fft, hop_length, n_mels, f_min, f_max, " in message
    assert message.endswith(", power, log, floor)")


def test_a_wrong_value_is_a_sentence():
    with pytest.raises(InputError, match=r"could not be built: .*n_channels 18 must divide by 4"):
        build(PAIR, Translator, n_channels=18, n_domains=2)


@pytest.mark.parametrize("node", [{}, {"n_mels": 3}, {"_target_": None}])
def test_a_node_without_a_class_is_refused(node):
    with pytest.raises(InputError, match="asks for 'None'|names no class"):
        build(node, FeatureExtractor)


@pytest.mark.parametrize(
    "override",
    ["experiment=none_such", "trainer.n_stepz=3", "trainer.n_steps=[", "features=wurld", "x"],
)
def test_a_wrong_override_is_one_sentence(override):
    with pytest.raises(InputError) as caught:
        compose_config([override])
    assert "\n" not in str(caught.value)


def test_an_override_reaches_its_place():
    config = compose_config(["experiment=cyclegan_vc2_small", "trainer.n_steps=7", "seed=3"])
    assert (config.trainer.n_steps, config.seed, config.discriminator.base_channels) == (7, 3, 32)


def test_the_class_of_a_node_is_named_and_not_made():
    node = {"_target_": "voiceconv.objectives.cyclegan.CycleGAN", "oops": 1}
    assert class_of(node, Objective) is CycleGAN
    assert class_of(OmegaConf.create(node), Objective) is CycleGAN
    for wrong, message in (
        ({"_target_": "voiceconv.objectives.cyclegan.FillingInFrames"}, "is no Objective"),
        ({"_target_": "os.path.join"}, "only classes of"),
        ({"weights": {}}, "names no class"),
    ):
        with pytest.raises(InputError, match=message):
            class_of(wrong, Objective)


@pytest.mark.parametrize("text", ["out${x}", "a\\${b}", "${", "a, b=c", "it's ${oc.env:HOME}"])
def test_a_text_passes_hydras_grammar_unchanged(text):
    read = OverridesParser.create().parse_override(as_override("data.dump", text))
    assert read.key_or_group == "data.dump"
    assert OmegaConf.create({"dump": read.value()}).dump == text


def test_what_a_node_leaves_out_is_what_its_class_takes():
    """So that a run of a version that had fewer keywords goes on."""
    stated = {**PAIR, "residual": False, "generator": {**PAIR["generator"], "base_channels": 8}}
    assert same_settings(PAIR, stated) and same_settings({"a": [PAIR]}, {"a": [PAIR]})
    assert not same_settings(PAIR, {**PAIR, "residual": True})
    assert not same_settings(PAIR, {**PAIR, "generator": {**PAIR["generator"], "base_channels": 9}})
    fewer = {key: value for key, value in PAIR["generator"].items() if key != "base_channels"}
    assert not same_settings(PAIR, {**PAIR, "generator": fewer})  # the class takes 128
    assert not same_settings({"a": 1}, {"a": 1, "b": None})
    objective = {"_target_": "voiceconv.objectives.cyclegan.CycleGAN"}
    assert same_settings(objective, {**objective, "judged": ["converted", "cycled"]})
