"""Every setting of a training has a type and a range, and each sentence names all three."""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Optional

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from torch import Tensor, nn

from voiceconv.build import build, compose_config
from voiceconv.errors import InputError
from voiceconv.models.base import Generator
from voiceconv.objectives import Objective
from voiceconv.runs.hydra_main import quote_path
from voiceconv.runs.settings import CONVERTER, STUDENT, VOCODER, check_settings, check_value
from voiceconv.schema import Range, fits

VALUES = [0, -1, 2, 1e9, math.nan, math.inf, "x", None, [], True]
COUNT, SOME = [2], [0, 2]
NOTE = [0, -1, 2, 1e9, "x", None]
LOSS = [0, 2, 1e9]
COMMON = {  # what of VALUES a setting takes; all others are refused
    "run_dir": ["x"], "name": ["x", None], "seed": SOME,
    "data.dump": ["x"], "data.n_frames": COUNT, "data.batch_size": COUNT,
    "data.loudness": [0, -1, None],
    "card.data": NOTE, "card.licence": NOTE,
    "validation.n_utterances": SOME, "validation.n_scored": COUNT,
    "optimizer.generator._target_": [], "optimizer.discriminator._target_": [],
    "optimizer.generator.lr": [], "optimizer.discriminator.lr": [],
    "optimizer.generator.betas": [], "optimizer.discriminator.betas": [],
    "optimizer.generator.fused": [None, True], "optimizer.discriminator.fused": [None, True],
    "trainer.n_steps": COUNT, "trainer.decay_start": [0, 2, None],
    "trainer.device": ["x"],  # the machine decides
    "trainer.precision": [], "trainer.ship": [], "trainer.speed": [[]],
    "trainer.accumulate": COUNT,
    "trainer.gradient_clip": [2, 1e9, None], "trainer.ema_decay": [None],
    "trainer.replay_size": SOME, "trainer.warmup_steps": SOME, "trainer.patience": [2, None],
    "trainer.log_every": SOME, "trainer.checkpoint_every": SOME, "trainer.validate_every": SOME,
    "features._target_": [], "features.sample_rate": COUNT,
    "objective._target_": [], "init_from": ["x", None],
}  # fmt: skip
OF_CONVERTER = COMMON | {
    "card.consent": NOTE,
    "data.waves": ["x", None], "data.targets": [None, []], "validation.n_directions": COUNT,
    "translator.residual": [True],
    "features.n_coefficients": COUNT, "features.frame_period": [2], "features.f0_method": [],
    "features.d4c_step": COUNT,
    "translator._target_": [], "translator.generator._target_": [],
    "translator.generator._partial_": [True],
    "translator.generator.base_channels": COUNT, "translator.generator.n_residual_blocks": SOME,
    "discriminator._target_": [], "discriminator.base_channels": COUNT,
    "batches._target_": [], "vocoder._target_": [],
    "objective.judged": [[]],  # the constructor refuses it
    "objective.identity_steps": [*SOME, None],
    "objective.weights.generator.adversarial_converted": LOSS,
    "objective.weights.generator.adversarial_cycled": LOSS,
    "objective.weights.generator.cycle": LOSS, "objective.weights.generator.identity": LOSS,
    "objective.weights.discriminator.adversarial_converted": LOSS,
    "objective.weights.discriminator.adversarial_cycled": LOSS,
}  # fmt: skip
OF_VOCODER = COMMON | {
    "features.n_fft": COUNT, "features.hop_length": COUNT, "features.n_mels": COUNT,
    "generator._target_": [], "generator.n_fft": COUNT, "generator.channels": COUNT,
    "generator.hidden": COUNT, "generator.n_blocks": COUNT, "generator.n_refinements": SOME,
    "generator.with_levels": [True],
    "objective.discriminators.period._target_": [],
    "objective.discriminators.period.base_channels": COUNT,
    "objective.discriminators.resolution._target_": [],
    "objective.discriminators.resolution.channels": COUNT,
    "objective.gan_mode": [], "objective.waves_start": SOME,
    **{
        f"objective.weights.generator.{name}": LOSS
        for name in (
            "magnitude", "group_delay", "frequency", "mel", "stft", "adversarial_period",
            "matching_period", "adversarial_resolution", "matching_resolution",
        )
    },
    "objective.weights.discriminator.adversarial_period": LOSS,
    "objective.weights.discriminator.adversarial_resolution": LOSS,
}  # fmt: skip

OF_STUDENT = COMMON | {
    "card.consent": NOTE,
    "features.n_coefficients": COUNT, "features.frame_period": [2], "features.f0_method": [],
    "features.d4c_step": COUNT,
    "translator._target_": [], "translator.n_inputs": COUNT, "translator.n_mels": COUNT,
    "translator.n_bands": COUNT, "translator.n_pitches": COUNT, "translator.width": COUNT,
    "translator.kernel": [2], "translator.dilations": [[]], "translator.look_aheads": [[]],
    "discriminator._target_": [], "discriminator.width": COUNT,
    "discriminator.patch_width": COUNT, "discriminator.scales": [[]], "vocoder._target_": [],
    **{
        f"objective.weights.generator.{name}": LOSS
        for name in (
            "spectrum", "aperiodicity", "voicing", "pitch", "adversarial", "feature_matching",
        )
    },
    "objective.weights.discriminator.adversarial": LOSS,
}  # fmt: skip
del OF_STUDENT["validation.n_utterances"]


def composed(*overrides, experiment="cyclegan_vc2_small", root="config"):
    given = [f"experiment={experiment}", "name=x", "data.dump=d", *overrides]
    return compose_config(given, root=root)


@pytest.fixture(scope="module")
def converter():
    return OmegaConf.to_container(composed(), resolve=True)


def leaves(tree, *above):
    if not isinstance(tree, dict):
        yield above
        return
    for name, value in tree.items():
        yield from leaves(value, *above, name)


def changed(tree, path, value):
    """A copy of the tree along the path, with another value at its end."""
    made = copy.copy(tree)
    made[path[0]] = value if len(path) == 1 else changed(tree[path[0]], path[1:], value)
    return made


def refusal(plain, schema):
    try:
        check_value(plain, schema, "")
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("experiment", "root", "schema", "accepted", "done"),
    [
        ("cyclegan_vc2_small", "config", CONVERTER, OF_CONVERTER, ()),
        ("vocos_small", "train_vocoder", VOCODER, OF_VOCODER, COMMON),
        ("streaming_small", "train_student", STUDENT, OF_STUDENT, COMMON),
    ],
    ids=["converter", "vocoder", "student"],
)
def test_each_setting_takes_what_it_should_and_says_so(experiment, root, schema, accepted, done):
    config = composed(experiment=experiment, root=root)
    plain = OmegaConf.to_container(config, resolve=True)
    assert refusal(plain, schema) is None
    keys = [".".join(path) for path in leaves(plain)]
    assert sorted(keys) == sorted(accepted)  # every setting is in the table
    for key in set(keys) - set(done):
        said = {i: refusal(changed(plain, key.split("."), v), schema) for i, v in enumerate(VALUES)}
        assert [VALUES[i] for i, why in said.items() if why is None] == accepted[key], key
        for i, why in said.items():
            value = "null" if VALUES[i] is None else repr(VALUES[i])
            assert why is None or (
                why.startswith(key.removesuffix("._target_")) and value in why and "\n" not in why
            )


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("trainer.gradient_clip", 0, "{} is 0; it takes a number, above 0, or null"),
        ("trainer.ema_decay", 2, "{} is 2; it takes a number, above 0 and below 1, or null"),
        ("trainer.decay_start", -5, "{} is -5; it takes a whole number, 0 or more, or null"),
        ("trainer.precision", "int8", "{} is 'int8'; it takes 'float32' or 'bf16' or 'fp16'"),
        ("trainer.n_setps", 3, "there is no setting {} (did you mean n_steps?); trainer takes n_s"),
        ("foo", 3, "there is no setting foo; a training takes run_dir, name, seed, card, "),
        (
            "translator.generator.base_chanels",
            8,
            "there is no setting {} (did you mean base_channels?); translator.generator takes bas",
        ),
        ("discriminator.n_channels", 3, "there is no setting {} (did you mean base_channels?); "),
        ("translator.generator", 3, "{} is 3; it takes a node with a `_target_`"),
        (
            "translator.generator._target_",
            "voiceconv.models.cyclegan_vc2.PatchDiscriminator",
            "translator.generator: voiceconv.models.cyclegan_vc2.PatchDiscriminator is no Gener",
        ),
        ("vocoder._target_", "os.system", "vocoder: configuration asks for 'os.system'; only "),
        (
            "objective.judged",
            ["cycled", "x"],
            "{} is ['cycled', 'x']; it takes a list, each of it 'converted' or 'cycled'",
        ),
        (
            "optimizer.generator.betas",
            [0.5],
            "{} is [0.5]; it takes a list of 2: a number, 0 or more and below 1, a number, 0 ",
        ),
        ("optimizer.generator.eps", -1, "optimizer.generator is no Adam: Invalid epsilon value"),
        ("data", 3, "{} is 3; it takes the settings dump, n_frames, batch_size, loudness, waves"),
        ("name", {"a": 1}, "{} is {{'a': 1}}; it takes text, or null"),
        ("run_dir", "", "{} is ''; it takes text, not empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_its_range(converter, key, value, sentence):
    said = refusal(changed(converter, key.split("."), value), CONVERTER)
    assert said.startswith(sentence.format(key)) and "\n" not in said


def test_a_setting_that_is_not_there_and_settings_that_exclude_each_other_are_named(converter):
    without = {name: value for name, value in converter.items() if name != "trainer"}
    assert refusal(without, CONVERTER) == "trainer is not given; add trainer=VALUE"
    config = composed("trainer.patience=2", "trainer.validate_every=0")
    with pytest.raises(InputError, match="patience is 2 validations, .*validate_every=0 makes non"):
        check_settings(config, CONVERTER)


@pytest.mark.parametrize("override", ["trainer=null", "features=null", "experiment=4"])
def test_what_hydra_itself_does_not_expect_is_a_sentence(override):
    with pytest.raises(InputError, match="the overrides make no configuration: "):
        composed(override)


def test_what_code_passes_is_not_taken_from_a_configuration():
    node = composed("+objective.seed=3").objective
    with pytest.raises(InputError, match="CycleGAN gets seed from voiceconv; take it out"):
        build(node, Objective, translator=None, discriminator=None, n_domains=2, seed=0)


def test_an_authors_own_key_is_allowed_where_an_interpolation_names_it():
    key = "translator.generator.base_channels"
    config = composed("+width=16", f"{key}=${{width}}")
    check_settings(config, CONVERTER)
    config.width = 0
    with pytest.raises(InputError, match=f"^{key} is 0; "):
        check_settings(config, CONVERTER)
    with pytest.raises(InputError, match="^there is no setting width; a training takes run_dir"):
        check_settings(composed("+width=16"), CONVERTER)


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (list[int], [[], [1, 2]], [1, ["x"], [0.5]]),
        (tuple[int, ...], [[], [1, 2, 3]], [[None]]),
        (tuple[int, str], [[1, "x"]], [[1], ["x", 1]]),
        (Iterable[float], [[1, 0.5]], ["x"]),
        (Sequence, [[1, "x"]], [1]),
        (dict[str, int], [{"a": 1}], [{"a": "x"}, 1]),
        (dict, [{"a": "x"}], [1]),
        (Optional[Literal["a"]], ["a", None], ["b"]),  # noqa: UP045
        (Annotated[int, "of heads"], [3], ["x"]),
        (Annotated[int, "of heads", Range(1)], [3], [0]),
        (Generator, [{"_target_": "x"}], [3, {"a": 1}]),
        (Callable[[int], nn.Module], [{"_target_": "x"}], [3]),
        (Path, ["x", 3], []),  # not known: the constructor judges
        (object, ["x", 3, None], []),
    ],
)
def test_hints_as_others_write_them(hint, good, bad):
    assert [fits(value, hint) for value in (*good, *bad)] == [True] * len(good) + [False] * len(bad)


class Encoder(nn.Module):
    """A part of somebody's generator, whose author knows nothing of ranges."""

    def __init__(self, n_channels: int, widths: list[int] = [8], drop: float = None):  # noqa: B006, RUF013
        super().__init__()


class Own(Generator):
    """The generator: its channels follow from the features, those of its part do not."""

    def __init__(self, n_channels: int, encoder: nn.Module, kernel=3):
        super().__init__()

    def forward(self, frames: Tensor) -> Tensor:
        return frames


def test_a_class_without_ranges_takes_what_its_hints_say(converter, monkeypatch):
    for cls in (Encoder, Own):
        monkeypatch.setattr(f"voiceconv.models.base.{cls.__name__}", cls, raising=False)
    encoder = {"_target_": "voiceconv.models.base.Encoder", "n_channels": 4, "drop": None}
    own = {"_target_": "voiceconv.models.base.Own", "_partial_": True, "kernel": "any"}

    def said(**more):
        node = {**own, "encoder": {**encoder, "widths": [16, 8]}, **more}
        return refusal(changed(converter, ["translator", "generator"], node), CONVERTER)

    key = "translator.generator"
    assert said() is None
    assert said(n_channels=36).startswith(f"there is no setting {key}.n_channels")
    assert said(encoder={**encoder, "widths": "x"}).startswith(f"{key}.encoder.widths is 'x'; it")


@pytest.mark.parametrize(
    "path",
    [
        "exp/lr=1", "a, b", "{x}", "[1]", "it's", 'say "hi"', "$HOME", "\\", "a\\'", "-x", "ümläut",
        " lead", "trail ", "a#b", "a\tb", "a\nb", "true", "1e5", "%(", "a|b;", "*?", "~/x",
        "\udcff",
    ],
)  # fmt: skip
def test_a_path_needs_no_quotes_of_hydras(path):
    for key in ("run_dir", "data.dump", "data.waves", "init_from", "++vocoder.model"):
        assert taken(quote_path(f"{key}={path}")) == (key.lstrip("+"), path)


def test_what_hydras_users_know_stays():
    for override in ("run_dir='a b'", "data.waves=null", "trainer.n_steps=3", "seed=1,2", "-m"):
        assert quote_path(override) == override
    assert composed(quote_path("run_dir=exp/${name}=1")).run_dir == "exp/x=1"


def taken(override):
    """Key and value of an override as Hydra reads it and OmegaConf resolves it."""
    read = OverridesParser.create().parse_override(override)
    return read.key_or_group, OmegaConf.create({"value": read.value()}).value


def test_a_warmup_leaves_steps_to_the_generator():
    check_settings(composed("trainer.warmup_steps=9", "trainer.n_steps=10"), CONVERTER)
    with pytest.raises(InputError, match="warmup_steps=9 leaves none of the 9 steps"):
        check_settings(composed("trainer.warmup_steps=9", "trainer.n_steps=9"), CONVERTER)
