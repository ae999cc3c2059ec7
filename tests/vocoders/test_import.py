"""`voiceconv vocoder import`: published HiFi-GAN generators speak here as they did there."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import librosa
import numpy as np
import published
import pytest
import torch
import yaml
from published import CONFIG, SECOND
from tiny import differing
from tiny_model import make_cli, speech
from torch import Tensor
from torch.nn import functional as F

from voiceconv.build import build
from voiceconv.errors import InputError
from voiceconv.features import Features, MelSpectrogram
from voiceconv.vocoders.directory import read_vocoder
from voiceconv.vocoders.hifigan_format import import_hifigan, read_config, read_generator
from voiceconv.vocoders.neural import NeuralVocoder

kinds = pytest.mark.parametrize("config", [CONFIG, SECOND], ids=["resblock 1", "resblock 2"])


def opened(folder: Path) -> NeuralVocoder:
    extractor = build(read_vocoder(folder)[0]["features"], MelSpectrogram)
    return NeuralVocoder(extractor, folder)


def refused(tmp_path: Path, config: object, checkpoint: object) -> str:
    """Why an import stops; it has written nothing."""
    before = sorted(tmp_path.iterdir())
    paths = published.write(tmp_path, config, checkpoint)
    with pytest.raises(InputError) as caught:
        import_hifigan(*paths, tmp_path / "vocoder")
    assert sorted(tmp_path.iterdir()) == sorted({*before, *paths})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@kinds
def test_waves_are_the_published_networks(tmp_path, config):
    weights = published.generator(config)
    import_hifigan(*published.write(tmp_path, config, {"generator": weights}), tmp_path / "made")
    frames = torch.randn(2, 20, 30)
    made = opened(tmp_path / "made").generator(frames)
    expected = published.speak(config, weights, frames)
    assert 0.3 < expected.std() and expected.shape == (2, 960)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


def test_checkpoints_of_the_authors_torch_are_read(tmp_path):
    weights = published.generator(SECOND)
    paths = published.write(tmp_path, SECOND, None)
    # Torch 1.4, which they name, had no zip files yet.
    torch.save({"generator": weights}, paths[1], _use_new_zipfile_serialization=False)
    import_hifigan(*paths, tmp_path / "made")
    made = opened(tmp_path / "made").generator.exit.bias
    assert torch.equal(made, weights["conv_post.bias"])


NAMES = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
SPELLINGS = {  # what people's checkpoints have in place of {"generator": weights}
    "weight norm since torch 2.0": lambda w: {
        "generator": {
            ".".join([*k.split(".")[:-1], NAMES.get(k.split(".")[-1], k.split(".")[-1])]): v
            for k, v in w.items()
        }
    },
    "data parallel": lambda w: {"generator": {f"module.{k}": v for k, v in w.items()}},
    "bare": lambda w: w,
    "bare, of a whole GAN": lambda w: (
        {"mpd.conv_post.bias": torch.ones(2)} | {f"generator.{k}": v for k, v in w.items()}
    ),
    "another name, deeper": lambda w: {"model": {"g": w, "d": {}}, "optimizer": [{}]},
    "NumPy scalars beside them": lambda w: {
        "generator": w,
        "steps": np.int64(3),
        "loss": np.float32(0.5),
        "best": (np.float64(1.5), np.bool_(True)),
    },
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_of_a_checkpoint_give_the_same_weights(tmp_path, spelling):
    weights = published.generator(SECOND)
    import_hifigan(*published.write(tmp_path, SECOND, {"generator": weights}), tmp_path / "usual")
    paths = published.write(tmp_path, SECOND, SPELLINGS[spelling](weights))
    import_hifigan(*paths, tmp_path / "made")
    usual, made = (read_vocoder(tmp_path / name)[1] for name in ("usual", "made"))
    assert len(made) == 24 and differing(usual, made) == []


def test_scalars_of_numpy_1_are_read_and_its_objects_are_not(tmp_path):
    def rewrite(old: bytes, new: bytes) -> None:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                assert not name.endswith("data.pkl") or old in content
                archive.writestr(name, content.replace(old, new))

    weights = published.generator(SECOND)
    path = published.write(tmp_path, SECOND, {"generator": weights, "steps": np.int64(3)})[1]
    rewrite(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    assert read_generator(path).keys() == weights.keys()
    rewrite(b"cnumpy.core.multiarray\nscalar", b"cnumpy.core.multiarray\n_reconstruct")
    with pytest.raises(InputError, match="wants to run code as it is read"):
        read_generator(path)


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path):
    paths = published.write(tmp_path, SECOND, {"generator": published.generator(SECOND)})
    paths[0].write_text(json.dumps(SECOND), encoding="utf-8-sig")
    assert read_config(paths[0])["hop_size"] == 32


def test_the_keys_of_another_checkpoint_are_named(tmp_path):
    said = refused(tmp_path, CONFIG, {"mpd": {}, "msd": {}, "steps": 3})
    assert "conv_pre.bias among them, but mpd, msd, steps; give the checkpoint g_..." in said


def test_weights_without_weight_norm_or_of_half_precision_are_taken_as_they_are(tmp_path):
    normed = published.generator(SECOND, gain=1.0)
    stem = "ups.1.weight"
    scale, direction = normed.pop(f"{stem}_g"), normed.pop(f"{stem}_v")
    normed[stem] = scale * direction / direction.flatten(1).norm(dim=1)[:, None, None]
    halves = {name: weight.half() for name, weight in normed.items()}
    import_hifigan(*published.write(tmp_path, SECOND, {"generator": halves}), tmp_path / "made")
    made = opened(tmp_path / "made").generator.stages[1].upsample.weight
    torch.testing.assert_close(made, halves[stem].float(), atol=0, rtol=0)


def test_the_directory_holds_the_mel_the_network_and_where_it_is_from(tmp_path):
    paths = published.write(tmp_path, SECOND, {"generator": published.generator(SECOND)})
    import_hifigan(*paths, tmp_path / "made")
    assert sorted(os.listdir(tmp_path / "made")) == [
        "README.md", "config.yaml", "generator.safetensors",
    ]  # fmt: skip
    config = yaml.safe_load((tmp_path / "made" / "config.yaml").read_text())
    assert config["features"] == {
        "_target_": "voiceconv.features.mel.MelSpectrogram",
        "sample_rate": 8000, "n_fft": 256, "win_length": 200, "hop_length": 32, "window": "hann",
        "n_mels": 20, "f_min": 0.0, "f_max": 4000.0, "mel_scale": "slaney", "norm": "slaney",
        "power": 1.0, "log": "natural", "floor": 1e-5,
    }  # fmt: skip
    assert config["generator"] == {
        "_target_": "voiceconv.models.hifigan.HifiGan",
        "rates": [8, 4], "kernels": [16, 8], "channels": 32, "residual_kernels": [3, 5],
        "dilations": [[[1], [2]], [[2], [6]]],
    }  # fmt: skip
    assert config["card"]["experiment"].startswith("imported from g_00000001, SHA-256 ")


@kinds
def test_frames_are_those_that_the_published_code_computes(tmp_path, config):
    # Theirs begin half a hop later than ours: ours of a wave that does, too, inside of its edges.
    weights = published.generator(config)
    import_hifigan(*published.write(tmp_path, config, {"generator": weights}), tmp_path / "made")
    wave = speech("low", 0.5, 8000)
    theirs = published_mel(config, wave)
    ours = opened(tmp_path / "made").extractor.extract(wave[16:]).frames
    inside = slice(8, theirs.shape[1] - 8)
    apart = (theirs - ours[:, : theirs.shape[1]]).abs()[:, inside]
    assert apart.max() < 0.01
    assert apart[theirs[:, inside] > -7].max() < 1e-3  # 40 dB above the floor's -11.5


def published_mel(config: published.Config, wave: Tensor) -> Tensor:
    """(N,) -> (C, T), from the description of the authors' meldataset.py."""
    n_fft, hop = config["n_fft"], config["hop_size"]
    padded = F.pad(wave[None], ((n_fft - hop) // 2,) * 2, mode="reflect")[0]
    window = torch.hann_window(config["win_size"])
    spectra = torch.stft(
        padded, n_fft, hop, config["win_size"], window, center=False, return_complex=True
    )
    magnitudes = (spectra.real.square() + spectra.imag.square() + 1e-9).sqrt()
    filters = librosa.filters.mel(
        sr=config["sampling_rate"],
        n_fft=n_fft,
        n_mels=config["num_mels"],
        fmin=config["fmin"],
        fmax=config["fmax"],
    )
    return (torch.from_numpy(filters) @ magnitudes).clamp(min=1e-5).log()


def test_what_is_spoken_begins_where_its_frames_do(tmp_path):
    weights = published.generator(CONFIG)
    import_hifigan(*published.write(tmp_path, CONFIG, {"generator": weights}), tmp_path / "made")
    frames = torch.randn(20, 12)
    made = opened(tmp_path / "made").synthesize(Features(frames))
    lengthened = torch.cat([frames, frames[:, -1:]], dim=1)
    expected = published.speak(CONFIG, weights, lengthened[None])[0, 16 : 16 + 12 * 32]
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hop_size": None}, "hop_size is None; HiFi-GAN has a whole number of 1 or more there"),
        (
            {"hop_size": 64},
            "upsample_rates [4, 4, 2] make 32 samples of a frame and hop_size is 64",
        ),
        ({"resblock": "3"}, """resblock is '3'; HiFi-GAN has "1" or "2" there"""),
        ({"fmax": "high"}, "fmax is 'high'; HiFi-GAN has a frequency in Hz, or null there"),
        ({"fmax": 5000}, "describes no mel: f_min 0.0 and f_max 5000.0 must rise within 0..4000"),
        ({"win_size": 300}, "describes no mel: hop_length 32, win_length 300 and n_fft 256 must"),
        ({"upsample_rates": [4, 4, -2]}, "upsample_rates is [4, 4, -2]; HiFi-GAN has a list of"),
        ({"upsample_kernel_sizes": [8, 8]}, "describes no generator of HiFi-GAN's: "),
        ({"upsample_kernel_sizes": [8, 8, 5]}, "kernel 5 for rate 2"),
        ({"resblock_dilation_sizes": [1, 3, 5]}, "HiFi-GAN has a list of lists of whole numbers"),
        ({"resblock_kernel_sizes": [3, 7, 11]}, "2 tables of dilations for 3 residual_kernels"),
    ],
)
def test_configurations_that_are_none_are_refused(tmp_path, changes, complaint):
    said = refused(tmp_path, CONFIG | changes, {"generator": published.generator(CONFIG)})
    assert said.startswith(str(tmp_path / "config.json")) and complaint in said


def test_another_files_configuration_is_refused(tmp_path):
    checkpoint = {"generator": published.generator(CONFIG)}
    lacking = {k: v for k, v in CONFIG.items() if k not in ("num_mels", "fmax")}
    assert "lacks num_mels, fmax; give HiFi-GAN's" in refused(tmp_path, lacking, checkpoint)
    assert "is no mapping of keys" in refused(tmp_path, [1, 2], checkpoint)
    paths = published.write(tmp_path, CONFIG, checkpoint)
    for wrong in (paths[1], tmp_path / "gone.json", tmp_path):
        with pytest.raises(InputError, match="is not readable as JSON; give HiFi-GAN's config"):
            import_hifigan(wrong, paths[1], tmp_path / "vocoder")


def test_weights_of_another_configuration_are_refused_by_name(tmp_path):
    weights = published.generator(CONFIG)
    for name, changed, complaint in (
        ("conv_post.bias", None, "lacks conv_post.bias; give the checkpoint that goes with"),
        ("extra.bias", torch.ones(1), "has, beyond those of the configuration, extra.bias;"),
        ("conv_post.bias", torch.ones(2), "conv_post.bias is of shape (2,), "),
        ("ups.0.weight_v", torch.ones(32, 16, 9), "ups.0.weight is of shape (32, 16, 9), "),
        ("ups.0.weight_v", torch.zeros(32, 16, 8), "ups.0.weight_v (32, 16, 8) make no weight"),
        ("ups.0.weight_g", torch.ones(31, 1, 1), "ups.0.weight_g (31, 1, 1) and ups.0.weight_v"),
        ("ups.0.weight_g", None, "has ups.0.weight_v without ups.0.weight_g"),
        ("ups.0.bias", torch.full((16,), torch.nan), "ups.0.bias has numbers that are not finite"),
        ("ups.0.bias", [1.0], "lacks ups.0.bias;"),
    ):
        others = {key: value for key, value in weights.items() if key != name}
        given = others if changed is None else others | {name: changed}
        assert complaint in refused(tmp_path, CONFIG, {"generator": given})
    said = refused(tmp_path, SECOND, {"generator": weights})
    assert "lacks resblocks.0.convs.0.bias and 15 more" in said


def test_what_is_no_generators_checkpoint_is_refused(tmp_path):
    for checkpoint in ({"mpd": {}, "msd": {}}, [1], torch.ones(3), {"generator": 3}):
        assert "has no `generator` with weights" in refused(tmp_path, CONFIG, checkpoint)
    paths = published.write(tmp_path, CONFIG, {"generator": published.generator(CONFIG)})
    paths[1].write_bytes(paths[1].read_bytes()[:-1000])
    with pytest.raises(InputError, match="is no checkpoint of weights alone: it is damaged, or"):
        import_hifigan(*paths, tmp_path / "vocoder")
    for gone in (tmp_path / "gone", tmp_path):
        with pytest.raises(InputError, match=f"{gone} is not readable"):
            import_hifigan(paths[0], gone, tmp_path / "vocoder")


class RunsCode:
    """Pickled, an order to make a folder as it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    weights = published.generator(CONFIG) | {"conv_post.bias": RunsCode(run)}
    paths = published.write(tmp_path, CONFIG, {"generator": weights})
    result = make_cli(monkeypatch, capsys)("vocoder", "import", *paths, "-o", tmp_path / "made")
    assert result.code == 2
    assert "wants to run code as it is read" in result.err and result.err.count("\n") == 1
    assert not run.exists() and not (tmp_path / "made").exists()
    torch.load(paths[1], weights_only=False)
    assert run.is_dir()  # it would have


def test_another_folders_files_are_left_alone(tmp_path):
    paths = published.write(tmp_path, CONFIG, {"generator": published.generator(CONFIG)})
    folder = tmp_path / "mine"
    folder.mkdir()
    import_hifigan(*paths, folder)  # an empty one is no loss
    again = published.generator(CONFIG)
    import_hifigan(*published.write(tmp_path, CONFIG, {"generator": again}), folder)
    torch.testing.assert_close(opened(folder).generator.exit.bias, again["conv_post.bias"])
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    for taken in (folder, folder / "README.md"):
        with pytest.raises(InputError, match=f"{taken} is there and is no vocoder's directory"):
            import_hifigan(*paths, taken)
    assert os.listdir(folder) == ["README.md"] and (folder / "README.md").read_text() == "mine"


def test_the_command_line_imports(tmp_path, monkeypatch, capsys):
    paths = published.write(tmp_path, CONFIG, {"generator": published.generator(CONFIG)})
    result = make_cli(monkeypatch, capsys)("vocoder", "import", *paths, "-o", tmp_path / "made")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{tmp_path}/made: voiceconv resynth IN --vocoder {tmp_path}/made\n"
    assert opened(tmp_path / "made").extractor.sample_rate == 8000
