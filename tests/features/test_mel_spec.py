"""The mel definition as a value: what it takes, how two of them differ, how it is written."""

import math

import pytest
import torch
import yaml

from voiceconv.build import build, compose_config
from voiceconv.errors import InputError
from voiceconv.features import MelSpectrogram, World, differences

OURS = {
    "sample_rate": 24000, "n_fft": 1024, "hop_length": 256, "n_mels": 80, "f_min": 0.0,
    "f_max": 12000.0, "win_length": 1024, "window": "hann", "mel_scale": "slaney",
    "norm": "slaney", "power": 1.0, "log": "natural", "floor": 1e-5,
}  # fmt: skip
OTHER = {
    "sample_rate": 32000, "n_fft": 2048, "hop_length": 300, "n_mels": 100, "f_min": 55.0,
    "f_max": 7600.0, "win_length": 1000, "window": "hamming", "mel_scale": "htk",
    "norm": None, "power": 2.0, "log": "10", "floor": 1e-10,
}  # fmt: skip


@pytest.mark.parametrize("fields", [OURS, OTHER])
def test_every_field_is_a_keyword_and_goes_through_yaml(fields):
    mel = MelSpectrogram(**fields)
    assert mel.definition == {"kind": "mel", **fields}
    written = yaml.safe_load(yaml.safe_dump(mel.spec.node))
    assert written == {"_target_": "voiceconv.features.mel.MelSpectrogram", **fields}
    assert build(written, MelSpectrogram).spec == mel.spec


def test_what_is_not_given_follows_from_the_rest():
    assert MelSpectrogram(24000).spec == MelSpectrogram(**OURS).spec
    spec = MelSpectrogram(16000, 512, 128, 40).spec
    assert (spec.f_max, spec.win_length) == (8000.0, 512)


def test_a_logarithm_of_10_may_come_as_a_number():
    """`features.log=10` on a command line is one."""
    config = compose_config(["features=mel", "+features.log=10", "data.dump=none"])
    assert build(config.features, MelSpectrogram).spec.log == "10"


@pytest.mark.parametrize("name", OURS)
def test_each_field_tells_specs_apart_by_its_name(name):
    ours, other = MelSpectrogram(**OURS).spec, MelSpectrogram(**OURS | {name: OTHER[name]}).spec
    assert ours != other
    assert ours.difference(other) == [f"{name} {OTHER[name]}, not {OURS[name]}"]
    assert ours.difference(ours) == []


def test_all_that_differs_is_listed():
    ours, other = MelSpectrogram(**OURS).spec, MelSpectrogram(**OTHER).spec
    assert ours.difference(other) == [f"{name} {OTHER[name]}, not {OURS[name]}" for name in OURS]


def test_of_two_kinds_the_kind_and_what_both_have():
    mel, world = MelSpectrogram(**OURS).definition, World(16000).definition
    assert differences(mel, world) == [
        "kind world, not mel", "sample_rate 16000, not 24000", "hop_length 80, not 256"
    ]  # fmt: skip


def test_what_one_of_a_kind_lacks_is_missing():
    assert differences({"a": 1, "b": None}, {"a": 1, "c": 0}) == [
        "b missing, not None", "c 0, not missing"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sample_rate": 0}, "sample_rate is 0; it takes a whole number, 1 or more"),
        ({"n_mels": 80.0}, "n_mels is 80.0; it takes a whole number, 1 or more"),
        ({"hop_length": True}, "hop_length is True; it takes a whole number, 1 or more"),
        ({"n_fft": 1023, "win_length": 1022}, "n_fft is 1023; it takes an even number"),
        (
            {"win_length": 2048},
            "hop_length 256, win_length 2048 and n_fft 1024 must rise; win_length may be n_fft",
        ),
        (
            {"hop_length": 1024},
            "hop_length 1024, win_length 1024 and n_fft 1024 must rise; win_length may be n_fft",
        ),
        ({"window": "kaiser"}, "window is 'kaiser'; it takes 'hann' or 'hamming'"),
        ({"mel_scale": "bark"}, "mel_scale is 'bark'; it takes 'slaney' or 'htk'"),
        ({"norm": "none"}, "norm is 'none'; it takes 'slaney' or None"),
        ({"power": 3}, "power is 3; it takes 1.0 or 2.0"),
        ({"log": "2"}, "log is '2'; it takes 'natural' or '10'"),
        ({"f_max": 12001.0}, "f_min 0.0 and f_max 12001.0 must rise within 0..12000.0 Hz"),
        ({"f_min": -1.0}, "f_min -1.0 and f_max 12000.0 must rise within 0..12000.0 Hz"),
        ({"f_min": 12000.0}, "f_min 12000.0 and f_max 12000.0 must rise within 0..12000.0 Hz"),
        ({"f_max": "high"}, "f_max is 'high'; it takes a number"),
        ({"floor": float("nan")}, "floor is nan; it takes a number"),
        ({"floor": 0.0}, "floor is 0.0; it takes 1e-37 or more"),
    ],
)
def test_what_no_mel_can_have_is_refused_in_a_sentence(changed, message):
    with pytest.raises(ValueError) as caught:
        MelSpectrogram(**OURS | changed)
    assert str(caught.value) == message
    with pytest.raises(InputError, match="MelSpectrogram could not be built: ") as caught:
        build({"_target_": "voiceconv.features.mel.MelSpectrogram"} | OURS | changed, object)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("more", [{}, {"log": "10"}, {"power": 2.0}, {"norm": None}])
def test_the_map_to_log_magnitudes_of_a_flat_spectrum(more):
    """Every bin at magnitude m: each filter's level says so, and each bin gets ln m back."""
    mel = MelSpectrogram(16000, 512, 128, 40, 100.0, 7000.0, **more)
    filtered = mel.filters.sum(1) * 0.3**mel.spec.power  # what a flat spectrum leaves in filters
    frame = filtered.log10() if mel.spec.log == "10" else filtered.log()
    weight, bias = mel.log_magnitude_map()
    assert weight.shape == (257, 40)
    found = weight @ frame + bias
    torch.testing.assert_close(found, torch.full((257,), math.log(0.3)), atol=1e-5, rtol=0)


def test_a_model_keeps_the_whole_mel_and_others_the_node_that_they_were_built_of():
    mel, given = MelSpectrogram(**OURS), {"_target_": "voiceconv.features.mel.MelSpectrogram"}
    assert mel.node(given) == given | OURS
    world = {"_target_": "voiceconv.features.world.World", "f0_method": "dio"}
    assert World(f0_method="dio").node(world) == world
