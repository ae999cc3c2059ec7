"""Genres: the published strengths from the published rates, content kept, a classifier, rows."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_model import Cli, make_cli
from torch import Tensor

from voiceconv.converter import FileConverter
from voiceconv.data.archive import ArchiveWriter
from voiceconv.errors import InputError
from voiceconv.features import DomainStats
from voiceconv.genre import Classifier, strength, train_classifier
from voiceconv.genre.phrases import (
    Phrases,
    chroma_similarity,
    note_f,
    onsets,
    read_phrases,
    transposed,
)
from voiceconv.genre.scores import NearestPhrase, Transposition, _measure
from voiceconv.genre.texture import (
    degree_histogram,
    longest_out_of_scale,
    overlap,
    place_histogram,
    polyphony,
    tonic,
)

ROLL = {"_target_": "voiceconv.features.piano_roll.PianoRoll"}
MODEL = {
    "features": ROLL,
    "translator": {"_target_": "voiceconv.models.identity.IdentityTranslator"},
    "vocoder": None,
    "loudness": None,
}
# Brunner et al., thesis table 5.3, jazz and classic: sigma_D, P of A, A-B, A-B-A, of B, B-A, B-A-B,
# and the printed strength. Table 5.4: partial and full.
PUBLISHED = [
    (0, 88.09, 31.38, 84.71, 92.53, 48.80, 89.24, 48.5),
    (0.01, 88.09, 5.82, 99.82, 92.53, 56.26, 89.87, 61.5),
    (0.1, 88.09, 29.16, 84.36, 92.53, 31.20, 89.33, 58.4),
    (1, 88.09, 20.62, 88.18, 92.53, 20.71, 92.53, 69.7),
    (3, 88.09, 12.18, 87.91, 92.53, 61.78, 90.67, 52.8),
    ("partial", 88.09, 9.87, 87.73, 92.53, 25.87, 89.51, 71.6),
    ("full", 88.09, 20.00, 85.16, 92.53, 20.09, 90.49, 69.0),
]


def both_ways(row: tuple) -> float:
    return 0.5 * (strength(*row[1:4]) + strength(*row[4:7]))


@pytest.mark.parametrize("row", PUBLISHED)
def test_fact_30_the_published_strength_follows_from_the_published_rates(row):
    assert both_ways(row) == pytest.approx(row[7], abs=0.06)


def test_fact_30_but_for_one_that_is_printed_wrong():
    """sigma_D = 5: 20.5 is printed, 21.3 follows."""
    row = (5, 88.09, 19.47, 34.13, 92.53, 90.67, 90.67)
    assert both_ways(row) == pytest.approx(21.3, abs=0.06)


def rolls(domain: str, n: int, seed: int) -> Tensor:
    """(n, 84, 64): `low` has long chords in C major below, `high` quick notes of F sharp above."""
    rng = np.random.default_rng([seed, len(domain)])
    made = np.zeros((n, 84, 64), np.float32)
    for phrase in made:
        for bar in range(4):
            if domain == "low":
                phrase[rng.choice([0, 4, 7]) + np.array([12, 24, 31]), 16 * bar : 16 * bar + 15] = 1
            else:
                for step in range(0, 16, 2):
                    phrase[42 + rng.choice([0, 4, 7, 12]), 16 * bar + step] = 1
    return torch.from_numpy(made)


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genres")
    for split, n in (("train", 12), ("test", 6)):
        place = folder / split
        place.mkdir()
        names = []
        with ArchiveWriter(place, "feats", 0) as feats:
            for domain in ("high", "low"):
                for number, phrase in enumerate(rolls(domain, n, seed=len(split))):
                    name = f"{domain}-{number:02d}"
                    end = np.zeros((10, 84), np.float32)  # no whole phrase
                    feats.write(name, np.concatenate([phrase.numpy().T, end]))
                    names.append(f"{name} {domain}\n")
        (place / "feats.0.scp").rename(place / "feats.scp")
        (place / "utt2spk").write_text("".join(names))
        (place / "features.yaml").write_text(yaml.safe_dump(ROLL))
    return folder


@pytest.fixture(scope="module")
def classifier(dump) -> Classifier:
    return train_classifier(dump, n_steps=40, base_channels=8)


def test_phrases_are_whole_and_of_their_genre(dump):
    found = read_phrases(dump / "test")
    assert {name: tuple(one.rolls.shape) for name, one in found.items()} == {
        "high": (6, 84, 64),
        "low": (6, 84, 64),
    }
    assert found["low"].rolls.equal(rolls("low", 6, seed=4))
    assert found["low"].songs.tolist() == list(range(6))


def test_onsets_and_their_f_measure():
    one, other = torch.zeros(1, 84, 64), torch.zeros(1, 84, 64)
    one[0, 10, 4:8], one[0, 20, 0:2] = 1, 1
    other[0, 10, 4:6], other[0, 20, 1:2] = 1, 1
    assert onsets(one)[0].nonzero().tolist() == [[10, 4], [20, 0]]
    assert note_f(one, other).tolist() == [0.5]  # one of two and two
    assert note_f(one, one).tolist() == [1.0]
    assert note_f(torch.zeros_like(one), torch.zeros_like(one)).tolist() == [1.0]


def test_chroma_is_of_pitch_classes_bar_by_bar():
    one = rolls("low", 3, seed=1)
    octave = transposed(one, 12)
    assert chroma_similarity(one, octave).tolist() == pytest.approx([1.0] * 3)
    assert chroma_similarity(one, transposed(one, 1)).max() < 0.1
    half = one.clone()
    half[..., 32:] = 0
    assert chroma_similarity(one, half).tolist() == pytest.approx([0.5] * 3)


def test_a_transposition_moves_what_leaves_the_roll_by_an_octave():
    one = rolls("high", 2, seed=1)
    assert transposed(one, 5)[:, 5:].equal(one[:, :-5])
    low = torch.zeros(1, 84, 64)
    low[0, 2], low[0, 83] = 1, 1
    assert transposed(low, -5)[0].any(1).nonzero()[:, 0].tolist() == [9, 78]
    assert transposed(low, 3)[0].any(1).nonzero()[:, 0].tolist() == [5, 74]


def test_the_baselines_go_to_the_target(dump):
    train = {name: one.rolls for name, one in read_phrases(dump / "train").items()}
    moved = Transposition(train)(rolls("low", 2, seed=1), "low", "high")
    assert moved.equal(transposed(rolls("low", 2, seed=1), 6))  # C to F sharp
    nearest = NearestPhrase(train)(train["high"][3:5], "low", "high")
    assert nearest.equal(train["high"][3:5])


def test_a_classifier_learns_is_kept_and_says_its_accuracy(dump, classifier, tmp_path):
    assert classifier.accuracy[0.0] == 100.0 and classifier.accuracy[0.5] > 90
    assert list(classifier.accuracy) == [0.0, 0.01, 0.1, 0.2, 0.3, 0.5]
    classifier.write(tmp_path)
    read = Classifier.read(tmp_path)
    phrases = rolls("low", 3, seed=9)
    likely = read.probability(phrases, "low")
    assert likely.equal(classifier.probability(phrases, "low")) and likely.min() > 0.5
    torch.testing.assert_close(likely, 1 - read.probability(phrases, "high"))
    assert read.accuracy == classifier.accuracy
    again = train_classifier(dump, n_steps=40, base_channels=8)
    assert again.probability(phrases, "low").equal(likely)


def test_other_dumps_are_refused(dump, tmp_path, classifier):
    alone = tmp_path / "one"
    for split in ("train", "test"):
        (alone / split).mkdir(parents=True)
        for path in (dump / split).iterdir():
            (alone / split / path.name).write_bytes(path.read_bytes())
        for name in ("utt2spk", "feats.scp"):
            lines = (dump / split / name).read_text().splitlines(keepends=True)
            (alone / split / name).write_text("".join(x for x in lines if x.startswith("low")))
    with pytest.raises(
        InputError, match="has low to learn and low to test; a classifier takes two"
    ):
        train_classifier(alone)
    (alone / "train/features.yaml").write_text("_target_: voiceconv.features.world.World\n")
    with pytest.raises(InputError, match="kind world, not piano_roll, .*; genres are judged by"):
        read_phrases(alone / "train")
    (alone / "train/features.yaml").write_text(yaml.safe_dump({**ROLL, "n_pitches": 48}))
    with pytest.raises(InputError, match="n_channels 48, not 84"):
        read_phrases(alone / "train")


def test_silence_is_no_conversion_and_songs_are_resampled(classifier):
    phrases = Phrases(rolls("low", 6, seed=2), torch.tensor([0, 0, 0, 0, 1, 1]), ["a", "b"])

    def half_silent(given: Tensor, source: str, target: str) -> Tensor:
        made = given.clone()
        made[4:] = 0
        return made

    high = rolls("high", 6, seed=2)
    test = {"low": phrases, "high": Phrases(high, torch.zeros(6), ["c"])}
    row = _measure("x", half_silent, classifier, test, "low", "high", high)
    assert row.rates == (100, 100, 100) and row.strength == 0
    kept = row.kept["chroma"]
    assert (round(kept["mean"], 3), kept["low"], kept["high"]) == (66.667, 0, pytest.approx(100))
    assert row.texture["notes a bar"] == pytest.approx((3, 2, 8))
    assert row.texture["polyphony"] == pytest.approx((3, 2, 1))
    assert row.texture["places in a bar"] == pytest.approx((12.5, 12.5, 100))


def test_a_key_is_that_of_most_steps():
    scale = torch.zeros(1, 84, 64)
    for step, degree in enumerate((0, 2, 4, 5, 7, 9, 11, 12)):
        scale[0, 24 + degree, 2 * step] = 1
    assert [int(tonic(transposed(scale, semitones))) for semitones in (0, 3, 6)] == [0, 3, 6]
    assert degree_histogram(scale).equal(degree_histogram(transposed(scale, 5)))
    assert degree_histogram(scale)[[0, 1, 2]].tolist() == [0.25, 0, 0.125]
    assert longest_out_of_scale(scale).tolist() == [0]
    strange = scale.clone()
    strange[0, 24 + 1, [32, 40]] = strange[0, 24 + 6, 36] = 1  # with nothing between
    strange[0, 24 + 8, 60], strange[0, 24, 56] = 1, 1
    assert longest_out_of_scale(strange).tolist() == [3]
    assert polyphony(strange).tolist() == [1]


def test_where_in_a_bar_notes_begin():
    phrases = torch.zeros(1, 84, 64)
    phrases[0, 10, [0, 16, 20, 36]] = 1
    assert place_histogram(phrases)[[0, 4]].tolist() == [0.5, 0.5]
    assert overlap(place_histogram(phrases), place_histogram(phrases.roll(4, 2))) == 50


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


def test_the_commands_train_and_score(voiceconv, dump, tmp_path):
    stats = dict.fromkeys(("high", "low"), DomainStats.neutral(84))
    FileConverter(MODEL, stats).save_pretrained(tmp_path / "same", {})
    trained = voiceconv("genre", "train", dump, "-o", tmp_path / "c", "--steps", "30")
    assert trained.code == 0 and trained.out.startswith("noise 0: 100.0% right\n")
    given = ("genre", "score", dump, "--classifier", tmp_path / "c", "--model", tmp_path / "same")
    said = voiceconv(*given, "--json")
    rows = json.loads(said.out)
    assert [(row["system"], row["source"], row["target"]) for row in rows] == [
        (system, *pair)
        for system in ("copy", "transposition", "nearest phrase", "same")
        for pair in (("high", "low"), ("low", "high"))
    ]
    by_name = {(row["system"], row["source"]): row for row in rows}
    for source in ("high", "low"):
        copied, nearest = (by_name[name, source] for name in ("copy", "nearest phrase"))
        assert by_name["same", source] | {"system": "copy"} == copied
        assert copied["rates"] == [100, 100, 100] and copied["strength"] == 0
        kept = [copied["kept"][measure]["mean"] for measure in ("note F", "chroma")]
        assert kept == pytest.approx([100, 100])
        assert nearest["rates"] == [100, 0, 100] and nearest["strength"] == 100
        assert nearest["kept"]["note F"]["mean"] < 5
    assert "| copy | high to low | 100.0, 100.0, 100.0 |" in voiceconv(*given).out
    again = ("--model", tmp_path / "other" / "same")
    assert "two models have one name of same" in voiceconv(*given, *again).err
    refused = voiceconv("genre", "score", dump, "--classifier", tmp_path / "none")
    assert refused.code == 2 and "config.yaml" in refused.err
