"""The vocoder's objective: its losses are the papers', and each player moves its own networks."""

import pytest
import torch
from torch import Tensor, nn

from voiceconv.data.batches import Segments
from voiceconv.losses.spectral import magnitude_loss, multi_resolution_stft_loss, phase_losses
from voiceconv.models import Verdict
from voiceconv.models.base import SpectralGenerator, WaveDiscriminator, WaveGenerator
from voiceconv.models.vocos import MultiResolutionDiscriminator
from voiceconv.objectives import PLAYERS
from voiceconv.objectives.vocoder import Vocoding, whole_frames

HOP, N_FFT, T = 8, 32, 12
RESOLUTIONS = ((32, 32, 8),)


class Gain(WaveGenerator):
    """Repeats the first channel through a hop, times a gain."""

    hop_length = HOP

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, frames: Tensor) -> Tensor:
        return self.gain * frames[:, 0].repeat_interleave(HOP, dim=1)


class Spectra(SpectralGenerator):
    """Learns a level; knows how often a wave was asked for."""

    hop_length, n_fft = HOP, N_FFT

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.7))
        self.n_waves = 0

    def spectra(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        shape = (len(frames), N_FFT // 2 + 1, frames.shape[-1])
        return self.level.expand(shape), 0.1 * torch.arange(shape[1])[:, None].expand(shape)

    def waves(self, log_magnitudes: Tensor, phases: Tensor) -> Tensor:
        self.n_waves += 1
        return log_magnitudes[:, 0].repeat_interleave(HOP, dim=1)


class Mean(WaveDiscriminator):
    """Judges by weight * mean; the mean is a feature."""

    def __init__(self, weight: float = 2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, waves: Tensor) -> list[Verdict]:
        mean = waves.mean(1)
        return [Verdict(self.weight * mean, [mean]), Verdict(-self.weight * mean, [2 * mean])]


def vocoding(generator: WaveGenerator | None = None, *distances: str, **keywords) -> Vocoding:
    judges = {"one": Mean(), "other": Mean(0.5)}
    names = {f"{part}_{kind}": 1.0 for kind in judges for part in ("adversarial", "matching")}
    weights = {
        "generator": names | {"mel": 45.0} | dict.fromkeys(distances, 1.0),
        "discriminator": {f"adversarial_{kind}": 1.0 for kind in judges},
    }
    keywords = {"resolutions": RESOLUTIONS} | keywords
    return Vocoding(generator or Gain(), judges, lambda w: 10 * w[:, None], weights, **keywords)


def batch(level: float = 1.0) -> Segments:
    return Segments(torch.full((2, 3, T), level), torch.full((2, T * HOP), 0.5))


@pytest.mark.parametrize(
    ("game", "of_generator", "of_discriminator"),
    [
        # fakes are 3, recordings 0.5; "one" says 6 and -6 of fakes, 1 and -1 of recordings
        ("hinge", (0 + 7) / 2, ((0 + 7) + (2 + 0)) / 2),
        ("least_squares", (25 + 49) / 2, ((0 + 36) + (4 + 36)) / 2),
    ],
)
def test_losses_by_hand(game, of_generator, of_discriminator):
    objective = vocoding(gan_mode=game)
    losses, generated = objective.generator_losses(batch(), 0)
    assert losses["mel"].item() == 25.0
    assert losses["adversarial_one"].item() == of_generator
    assert losses["matching_one"].item() == (2.5 + 5) / 2
    (fake,) = generated["waves"]
    assert torch.equal(fake.frames, torch.full((2, T * HOP), 3.0))
    found = objective.discriminator_losses(batch(), {"waves": [fake.detach()]})
    assert found["adversarial_one"].item() == of_discriminator


def test_chance_levels_are_the_gan_modes():
    for mode, level in (("hinge", 2.0), ("least_squares", 0.5)):
        made = vocoding(gan_mode=mode)
        assert made.chance_levels == dict.fromkeys(made.weights["discriminator"], level)


def test_the_shortest_segment_has_room_for_every_fft():
    """Half of one is reflected; of whole frames there are two, which have a difference."""
    assert vocoding().shortest == 1
    assert vocoding(Gain(), "stft").shortest == 32 // 2 + 1
    spectral = vocoding(Spectra(), "frequency")
    assert spectral.shortest == N_FFT + HOP
    n_frames = spectral.shortest // HOP
    assert len(range(n_frames)[whole_frames(spectral.generator, n_frames)]) == 2
    assert len(range(n_frames - 1)[whole_frames(spectral.generator, n_frames - 1)]) == 1
    judge = MultiResolutionDiscriminator((64, 128), channels=1)
    spectral.discriminators["one"] = judge
    assert spectral.shortest == 128 // 2 + 1
    judge(torch.zeros(1, 65))
    with pytest.raises(RuntimeError, match="Padding size should be less"):
        judge(torch.zeros(1, 64))


def test_each_player_moves_its_own_networks():
    objective = vocoding(gan_mode="least_squares")
    losses, generated = objective.generator_losses(batch(0.1), 0)
    objective.total("generator", losses).backward()
    assert objective.generator.gain.grad.abs() > 0
    objective.zero_grad(set_to_none=True)
    fakes = {kind: [fake.detach() for fake in some] for kind, some in generated.items()}
    objective.total("discriminator", objective.discriminator_losses(batch(), fakes)).backward()
    assert objective.generator.gain.grad is None
    assert all(judge.weight.grad.abs() > 0 for judge in objective.discriminators.values())
    assert [objective.player(name) for name in PLAYERS] == [
        objective.generator,
        objective.discriminators,
    ]


def test_distances_of_spectra_are_those_of_whole_frames():
    objective = vocoding(Spectra(), "stft", "magnitude", "group_delay", "frequency")
    frames, waves = batch().tensors()
    waves = waves + torch.randn(waves.shape, generator=torch.Generator().manual_seed(0))
    losses, generated = objective.generator_losses(Segments(frames, waves), 0)
    # Window by window: frame t of those whose 32 samples are all there is centred on 8 t.
    parts = waves.unfold(1, N_FFT, HOP) * torch.hann_window(N_FFT)
    wanted = torch.fft.rfft(parts).transpose(1, 2)  # (B, F, T - 3)
    # torch.stft counts time from the window's start: so does the DFT of a part.
    log_magnitudes, phases = objective.generator.spectra(frames)
    assert whole_frames(objective.generator, T) == slice(2, 11)
    whole = slice(2, 11)
    expected = magnitude_loss(log_magnitudes[..., whole], wanted)
    assert losses["magnitude"].item() == pytest.approx(expected.item(), rel=1e-5)
    expected = phase_losses(phases[..., whole], wanted)
    assert losses["group_delay"].item() == pytest.approx(expected[0].item(), rel=1e-4)
    assert losses["frequency"].item() == pytest.approx(expected[1].item(), rel=1e-4)
    expected = multi_resolution_stft_loss(generated["waves"][0].frames, waves, RESOLUTIONS)
    assert losses["stft"].item() == pytest.approx(expected.item())


def test_before_waves_start_spectra_are_all_there_is():
    objective = vocoding(Spectra(), "magnitude", waves_start=5)
    losses, generated = objective.generator_losses(batch(), 4)
    assert generated == {} and objective.generator.n_waves == 0
    assert {name for name, loss in losses.items() if loss} == {"magnitude"}
    assert losses.keys() == objective.weights["generator"].keys()
    total = objective.total("discriminator", objective.discriminator_losses(batch(), {}))
    assert not total.requires_grad and total == 0
    losses, generated = objective.generator_losses(batch(), 5)
    assert len(generated["waves"]) == 1 and losses["mel"] > 0 and losses["adversarial_one"] > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: vocoding(gan_mode="chess"),
            r"gan_mode is 'chess'; it takes one of \['cross_entropy', 'hinge'",
        ),
        (lambda: vocoding(None, "magnitude"), r"names \['magnitude'\], and Gain has no spectra"),
        (lambda: vocoding(waves_start=3), "waves_start is 3, and no loss of spectra has a weight"),
        (lambda: vocoding(None, "loudness"), r"weights.generator names .*'loudness'"),
    ],
)
def test_what_does_not_go_together_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_papers_weights_of_a_hinge_step():
    """All of it: 45 mel, and of each of two kinds adversarial and matching once."""
    objective = vocoding()
    losses, _ = objective.generator_losses(batch(), 0)
    other = (0 + 2.5) / 2  # 0.5 * 3: 1.5 and -1.5 of fakes
    expected = 45 * 25.0 + 3.5 + 3.75 + other + 3.75
    assert objective.total("generator", losses).item() == pytest.approx(expected)
