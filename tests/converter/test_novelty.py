"""What lies far from a model's speech is told by its rank among held-out recordings, in words."""

from dataclasses import replace

import pytest
import torch
from tiny import vowel
from tiny_model import RATE, make_converter, speech

from voiceconv.converter import Converter
from voiceconv.converter.conversion import Conversion
from voiceconv.converter.directory import digest
from voiceconv.converter.novelty import LIMIT, NOVELTY, Novelty, Verdict
from voiceconv.converter.traits import GROUPS, Traits, second_voice
from voiceconv.errors import InputError

N_MEASURES = sum(GROUPS.values())
SPEAKERS, RECORDINGS = 12, 20


def drawn(seed: int, n: int, pitch: float = 150.0) -> list[Traits]:
    """Of a speaker: normal measures around the speaker's own normal means."""
    rng = torch.Generator().manual_seed(seed)
    own = 0.5 * torch.randn(N_MEASURES, generator=rng)
    measures = own + torch.randn(n, N_MEASURES, generator=rng)
    second = 0.05 * torch.rand(n, generator=rng)
    return [
        Traits(one, pitch + 5 * seed, float(s), 0.7)
        for one, s in zip(measures, second, strict=True)
    ]


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    return Novelty.fit({f"speaker {seed}": drawn(seed, RECORDINGS) for seed in range(SPEAKERS)})


@pytest.fixture(scope="module")
def bundled() -> Converter:
    return Converter.from_pretrained()


def whisper(seconds: float) -> torch.Tensor:
    noise = 0.05 * torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(0))
    return noise * ((torch.arange(len(noise)) // (RATE // 4) % 2) * 0.9 + 0.1)


def test_of_new_speakers_about_as_many_are_out_of_the_domain_as_the_limit_says(novelty):
    verdicts = [novelty.judge(one) for seed in range(20, 30) for one in drawn(seed, 40, 60.0)]
    shares = [
        sum(one.percentile > limit for one in verdicts) / len(verdicts) for limit in (50.0, LIMIT)
    ]
    assert 0.4 < shares[0] < 0.6
    assert 0.01 < shares[1] < 0.08
    assert all(one.is_out_of_domain == (one.percentile > LIMIT) for one in verdicts)
    assert all((one.reason is not None) == one.is_out_of_domain for one in verdicts)


@pytest.mark.parametrize(
    ("group", "offset", "said"),
    [
        ("variety", -6.0, "its sounds differ less than those of speech, as in noise"),
        ("speed", -6.0, "it changes more slowly than speech, as music and echoes do"),
        ("voicing", -8.0, "no pitch in 90% of its loud parts, as in a whisper or in noise"),
    ],
)
def test_the_group_that_is_farthest_off_is_the_reason(novelty, group, offset, said):
    names = [name for name, n in GROUPS.items() for _ in range(n)]
    moved = torch.tensor([offset if name == group else 0.0 for name in names])
    verdict = novelty.judge(Traits(moved, 150.0, 0.0, 0.1))
    assert verdict == Verdict(100.0, True, said)
    assert str(verdict) == "farther than all held-out recordings"


def test_a_high_pitch_and_a_second_one_are_reasons_of_their_own(novelty):
    ordinary = torch.zeros(N_MEASURES)
    assert not novelty.judge(Traits(ordinary, 180.0, 0.02, 0.7)).is_out_of_domain
    child = novelty.judge(Traits(ordinary, 340.0, 0.02, 0.7))
    assert child.reason == "its pitch of 340 Hz is higher than theirs, as a child's"
    two = novelty.judge(Traits(ordinary, 180.0, 0.3, 0.7))
    assert two.reason is not None
    assert two.reason.startswith("30% of its voiced parts have a second pitch")


def test_what_could_not_be_measured_counts_for_nothing(novelty):
    measures = torch.zeros(N_MEASURES)
    unknown = measures.masked_fill(torch.arange(N_MEASURES) >= N_MEASURES - 4, float("nan"))
    at_mean = torch.where(unknown.isnan(), novelty.mean, unknown)
    of_unknown, of_mean = (novelty.measure(Traits(m, 0.0, 0.0, 1.0)) for m in (unknown, at_mean))
    assert of_unknown[0] == pytest.approx(float(of_mean[0]), rel=1e-5)


def test_a_percentile_is_never_rounded_up_to_all():
    assert str(Verdict(99.97, True)) == "farther than 99.9% of held-out recordings"


def test_too_few_speakers_are_refused():
    few = {f"speaker {seed}": drawn(seed, 40) for seed in range(2)}
    with pytest.raises(InputError, match="80 recordings of 2 speakers do not tell"):
        Novelty.fit(few)


def test_it_comes_back_from_its_file_and_damage_is_named(novelty, tmp_path):
    assert Novelty.load(tmp_path) is None
    novelty.save(tmp_path)
    found = Novelty.load(tmp_path)
    assert found is not None
    assert torch.equal(found.held_out, novelty.held_out)
    one = drawn(3, 1)[0]
    assert found.judge(one) == novelty.judge(one)
    whole = (tmp_path / NOVELTY).read_bytes()
    (tmp_path / NOVELTY).write_bytes(whole[:-100])
    with pytest.raises(InputError, match="not readable .* run `voiceconv calibrate` again"):
        Novelty.load(tmp_path)
    Novelty(novelty.mean[1:], novelty.scale, novelty.precision, novelty.held_out).save(tmp_path)
    with pytest.raises(InputError, match="is of another version"):
        Novelty.load(tmp_path)


def test_a_second_voice_is_heard_beside_the_first_and_one_voice_has_none():
    """Of a mixture, F0 is that of one of them."""
    extractor = make_converter().extractor
    one, other = vowel(110.0, 1.5, RATE), vowel(163.0, 1.5, RATE)

    def share(wave: torch.Tensor, pitch: float) -> float:
        f0 = torch.full((extractor.n_frames(len(wave)),), pitch)
        return second_voice(wave, extractor, f0, f0 > 0)

    assert share(one, 110.0) == share(other, 163.0) == 0.0
    assert share(one + other, 110.0) == share(one + other, 163.0) == 1.0


def test_traits_do_not_depend_on_level_pauses_or_the_rate_of_the_file(bundled):
    wave = speech(140.0, 3.0, 24000, seed=3)
    found = bundled.describe(wave)
    assert found is not None
    quiet = bundled.describe(0.1 * wave)
    paused = bundled.describe(torch.cat([torch.zeros(48000), wave, torch.zeros(48000)]))
    assert quiet is not None and paused is not None
    assert torch.allclose(quiet.measures, found.measures, atol=0.05)
    assert torch.allclose(paused.measures[:13], found.measures[:13], atol=1.0)
    assert found.pitch == pytest.approx(140.0, rel=0.01)
    assert bundled.describe(wave[:6000]) is None  # a quarter of a second


def test_the_bundled_model_knows_speech_from_noise(bundled):
    from voiceconv import audio
    from voiceconv.model_folder import BUNDLED

    voice = audio.read(BUNDLED / "sample.wav", 24000).samples
    verdict = bundled.examine(voice)
    assert verdict is not None
    assert not verdict.is_out_of_domain
    noise = 0.1 * torch.randn(72000, generator=torch.Generator().manual_seed(0))
    found = bundled.examine(noise)
    assert found is not None
    assert found.percentile == 100.0


@pytest.mark.parametrize("source", [None, "low"])
def test_a_conversion_is_noted_with_its_verdict(novelty, source, caplog):
    """With a named source nobody listens first: the chunk that is converted tells."""
    converter = make_converter()
    converter.novelty = replace(novelty, scale=1e-3 * novelty.scale)  # so that all is far
    noted: list[Conversion] = []
    converter.convert(whisper(2.0), "high", source, name="in/a.wav", noted=noted.append)
    (conversion,) = noted
    assert conversion.verdict is not None
    assert conversion.verdict == converter.examine(whisper(2.0))
    assert conversion.as_json["percentile"] == 100.0
    assert conversion.as_json["is_out_of_domain"] is True
    (warned,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warned.startswith(
        "in/a.wav is unlike the speech that this model has learned from (farther than all held-out "
        "recordings): "
    )


def test_a_model_without_it_says_nothing():
    noted: list[Conversion] = []
    make_converter().convert(speech("low", 1.0), "high", noted=noted.append)
    assert noted[0].verdict is None
    assert noted[0].as_json["percentile"] is None


def test_it_ships_with_its_model_and_leaves_the_models_digest(novelty, tmp_path):
    converter = make_converter()
    converter.save_pretrained(tmp_path / "without", {})
    converter.novelty = novelty
    converter.save_pretrained(tmp_path / "with", {})
    assert (tmp_path / "with" / NOVELTY).exists()
    assert digest(tmp_path / "with") == digest(tmp_path / "without")
    assert Converter.from_pretrained(tmp_path / "with").novelty is not None
    assert Converter.from_pretrained(tmp_path / "without").novelty is None
