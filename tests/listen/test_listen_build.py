"""Whole listening tests of three systems in two directions, as recipes leave their folders."""

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from tiny import vowel

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.listen.building.build import build_test
from voiceconv.listen.manifest import (
    ANCHOR,
    ATTENTION,
    CHECK,
    REFERENCE,
    SYSTEM,
    TRAINING,
    TRIAL,
    read_test,
)
from voiceconv.listen.methods import METHODS
from voiceconv.listen.reporting.paragraph import _task

STRINGS = Path(__file__).parents[2] / "voiceconv/listen/page/strings.json"
RATE = 16000
SYSTEMS = ["zebra", "quokka", "wombat"]
DIRECTIONS = ["anna-benno", "benno-anna"]
SENTENCES = [f"phrasing{number:02}" for number in range(8)]
PITCHES = {"anna": 190, "benno": 110}
# Whatever of these stood in what a listener gets would tell a system or a sentence.
TELLING = [*SYSTEMS, "anna", "benno", "phrasing", "converted_by", "natural_takes"]


def speech(pitch: float, seconds: float, rate: int) -> torch.Tensor:
    """A vowel of two syllables."""
    wave = vowel(pitch, seconds, rate)
    time = torch.linspace(0, 1, wave.numel())
    return wave * (0.55 - 0.45 * torch.cos(4 * torch.pi * time))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """converted_by_<system>/<direction>/<source>-<sentence>.wav; natural_takes/ as Kaldi has it."""
    root = tmp_path_factory.mktemp("corpus")
    for number, sentence in enumerate(SENTENCES):
        for direction in DIRECTIONS:
            source, target = direction.split("-")
            wave = speech(PITCHES[target], 1.0 + 0.05 * number, RATE)
            for place, system in enumerate(SYSTEMS):
                folder = root / f"converted_by_{system}" / direction
                folder.mkdir(parents=True, exist_ok=True)
                changed = 0.2 * (1 + place) * torch.tanh((1 + place) * wave)
                audio.write(folder / f"{source}-{sentence}.wav", changed, RATE)
        for speaker, pitch in PITCHES.items():
            (root / "natural_takes").mkdir(exist_ok=True)
            wave = speech(pitch, 1.2 + 0.05 * number, 24000)
            audio.write(root / "natural_takes" / f"{speaker}-{sentence}.wav", wave, 24000)
    names = sorted(path.stem for path in (root / "natural_takes").glob("*.wav"))
    (root / "natural_takes/wav.scp").write_text(
        "".join(f"{n} {root}/natural_takes/{n}.wav\n" for n in names)
    )
    (root / "natural_takes/utt2spk").write_text("".join(f"{n} {n.split('-')[0]}\n" for n in names))
    return root


def systems_of(corpus: Path, names=SYSTEMS) -> list[tuple[str, Path]]:
    return [(name, corpus / f"converted_by_{name}") for name in names]


def needs(corpus: Path, method: str) -> dict[str, Path]:
    """What a method has to be given."""
    return {
        "mushra": {"reference": corpus / "natural_takes"},
        "similarity": {"target_reference": corpus / "natural_takes"},
    }.get(method, {})


def built(output: Path, corpus: Path, method: str, names=SYSTEMS, **options):
    return build_test(
        output, systems_of(corpus, names), method, **(needs(corpus, method) | options)
    )


@pytest.fixture(scope="module")
def tests(corpus: Path, tmp_path_factory: pytest.TempPathFactory):
    """Method -> its folder and test; with a reference wherever one may be given."""
    root, made = tmp_path_factory.mktemp("tests"), {}
    for method in METHODS:
        options = {} if method == "abx" else {"reference": corpus / "natural_takes"}
        made[method] = root / method, built(root / method, corpus, method, n_items=4, **options)
    return made


def of_kind(test, kind):
    return [trial for trial in test.trials.values() if trial.kind == kind]


def systems_in(test, stimuli) -> list[str]:
    return [test.stimuli[stimulus].system for stimulus in stimuli]


@pytest.mark.parametrize("method", METHODS)
def test_stimuli_have_one_loudness_and_one_rate_and_do_not_clip(tests, method):
    folder, test = tests[method]
    assert read_test(folder) == test
    assert test.sample_rate == RATE and -26.0 < test.loudness <= -23.0
    files = sorted((folder / "page/stimuli").iterdir())
    assert [file.stem for file in files] == sorted(test.stimuli)
    for file in files:
        wave, rate = audio.read(file)
        assert rate == RATE
        assert audio.loudness(wave, rate) == pytest.approx(test.loudness, abs=0.2)
        dense = audio.resample(wave, rate, 8 * rate)
        assert float(dense.abs().max()) < 10 ** (-0.9 / 20)
        assert test.stimuli[file.stem].seconds == wave.numel() / rate
    notes = [note for note in test.notes if "recordings have 16000 to 24000 Hz" in note]
    assert len(notes) == (method != "abx")  # which has no reference, of 24 kHz


@pytest.mark.parametrize("method", METHODS)
def test_nothing_that_listeners_get_tells_what_it_is(tests, corpus, method):
    """All bytes and all names of what is served, and of webMUSHRA's folder."""
    folder, test = tests[method]
    texts = [str(corpus), *TELLING, test.key]
    for place in ("page", "webmushra"):
        for path in (folder / place).rglob("*"):
            said = str(path.relative_to(folder)).encode()
            said += path.read_bytes() if path.is_file() else b""
            assert [text for text in texts if text.encode() in said] == []
    sounds = [path for place in ("page", "webmushra") for path in (folder / place).rglob("*.wav")]
    assert len(sounds) > len(test.stimuli) and len({path.stat().st_mtime for path in sounds}) == 1
    manifest = (folder / "manifest.json").read_text()
    assert [text for text in [*SYSTEMS, *DIRECTIONS, *SENTENCES[:1]] if text not in manifest] == []


@pytest.mark.parametrize("method", METHODS)
def test_lists_have_training_first_and_checks_in_between(tests, method):
    _, test = tests[method]
    n_training, n_checks = (1, 0) if method == "mushra" else (2, 1)
    asked = Counter()
    for turns in test.lists:
        kinds = [test.trials[turn.trial].kind for turn in turns]
        assert kinds[:n_training] == n_training * [TRAINING]
        assert sorted(kinds[n_training:]) == n_checks * [ATTENTION] + 4 * [TRIAL]
        assert not n_checks or kinds[-1] == kinds[n_training] == TRIAL
        assert len({turn.trial for turn in turns}) == len(turns)
        asked.update(turn.trial for turn in turns)
    assert len({asked[trial.id] for trial in of_kind(test, TRIAL)}) == 1  # all as often
    in_test = {trial.item for trial in of_kind(test, TRIAL)}
    assert len(in_test) == 4 and not in_test & {trial.item for trial in of_kind(test, TRAINING)}
    assert test.stimuli[test.level].item not in in_test
    assert Counter(item.split("/")[0] for item in in_test) == dict.fromkeys(DIRECTIONS, 2)


def test_mos_has_the_reference_as_one_more_condition(tests):
    _, test = tests["mos"]
    shown = Counter(
        systems_in(test, [t.shown[0] for t in of_kind(test, TRIAL)])[i] for i in range(16)
    )
    assert shown == dict.fromkeys([*SYSTEMS, "reference"], 4)
    assert all(trial.reference is None and len(trial.shown) == 1 for trial in test.trials.values())
    assert test.names(SYSTEM) == SYSTEMS and test.names(REFERENCE) == ["reference"]
    (check,) = of_kind(test, ATTENTION)
    assert systems_in(test, check.shown) == [CHECK] and set(check.expected) == set(check.shown)


def test_similarity_is_judged_beside_another_sentence_of_the_target(tests):
    _, test = tests["similarity"]
    for trial in test.trials.values():
        beside = test.stimuli[trial.reference]
        assert beside.system == "target"
        sentence = trial.item.split("-")[-1]
        assert Path(beside.source).stem.split("-")[0] == trial.direction.split("-")[1]
        assert sentence not in beside.source
    by_item = {}
    for trial in of_kind(test, TRIAL):
        by_item.setdefault(trial.item, set()).add(trial.reference)
    assert all(len(references) == 1 for references in by_item.values())


def test_ab_compares_all_pairs_in_both_orders_beside_the_reference(tests):
    _, test = tests["ab"]
    pairs = Counter(tuple(systems_in(test, trial.shown)) for trial in of_kind(test, TRIAL))
    expected = [("zebra", "quokka"), ("zebra", "wombat"), ("quokka", "wombat")]
    assert pairs == dict.fromkeys(expected, 4)
    for trial in of_kind(test, TRIAL):
        assert test.stimuli[trial.reference].system == "reference"
        lengths = {test.stimuli[stimulus].seconds for stimulus in (*trial.shown, trial.reference)}
        assert len(lengths) == 1  # one can go from one to the other at any time
        orders = {turn.order for turns in test.lists for turn in turns if turn.trial == trial.id}
        assert orders == {trial.shown, trial.shown[::-1]}
    (check,) = of_kind(test, ATTENTION)
    assert check.expected == {check.shown[1]: (1, 1)}  # the one with the beeps


def test_x_of_abx_is_one_of_the_two_in_another_file(tests):
    folder, test = tests["abx"]
    read = {name: (folder / f"page/stimuli/{name}.wav").read_bytes() for name in test.stimuli}
    asked = Counter()
    for trial in of_kind(test, TRIAL):
        same = [s for s in trial.shown if test.stimuli[s].system == test.stimuli[trial.x].system]
        assert len(same) == 1 and trial.x not in trial.shown
        assert len(read[trial.x]) == len(read[same[0]]) and read[trial.x] != read[same[0]]
        asked[(tuple(systems_in(test, trial.shown)), trial.shown.index(same[0]))] += 1
    assert set(asked.values()) == {4} and len(asked) == 6  # three pairs, X either of them
    heard_first = Counter()  # is X the one that is called A?
    for turns in test.lists:
        for turn in turns:
            x = test.stimuli[test.trials[turn.trial].x].system
            heard_first[test.trials[turn.trial].kind, test.stimuli[turn.order[0]].system == x] += 1
    assert heard_first[TRIAL, True] == heard_first[TRIAL, False]
    assert heard_first[TRAINING, True] == heard_first[TRAINING, False]
    (check,) = of_kind(test, ATTENTION)
    (right,) = check.expected
    one, three = (audio.read(folder / f"page/stimuli/{s}.wav").samples for s in check.shown)
    assert not torch.equal(one, three) and right in check.shown
    hidden = audio.read(folder / f"page/stimuli/{check.x}.wav").samples
    difference = {
        s: float((hidden - audio.read(folder / f"page/stimuli/{s}.wav").samples).abs().max())
        for s in check.shown
    }
    assert difference[right] < 1e-3 < min(d for s, d in difference.items() if s != right)


def test_mushra_has_a_hidden_reference_and_both_anchors(tests):
    folder, test = tests["mushra"]
    for trial in test.trials.values():
        assert systems_in(test, trial.shown) == [*SYSTEMS, "reference", "anchor35", "anchor70"]
        hidden = trial.shown[3]
        assert test.stimuli[trial.reference].system == "reference" and hidden != trial.reference
        assert len({test.stimuli[s].seconds for s in (*trial.shown, trial.reference)}) == 1
    assert test.names(ANCHOR) == ["anchor35", "anchor70"]
    assert dict(test.systems["anchor35"].made) == {
        "of": "reference", "pass_edge": 3500.0, "stop_edge": 4000.0,
    }  # fmt: skip
    trial = of_kind(test, TRIAL)[0]
    files = [audio.read(folder / f"page/stimuli/{name}.wav").samples for name in trial.shown[3:5]]
    power = [torch.fft.rfft(wave.double()).abs().square() for wave in files]
    edge = round(4000 / RATE * files[0].numel())
    above = [float(p[edge:].sum() / p.sum()) for p in power]
    assert above[1] < 1e-3 * above[0]  # dither is left


def test_a_full_test_asks_a_listener_for_all_of_it(tmp_path, corpus):
    test = built(tmp_path / "test", corpus, "mos", n_items=2, full=True, n_training=0, n_checks=2)
    for turns in test.lists:
        asked = [test.trials[turn.trial] for turn in turns]
        pairs = [(t.item, *systems_in(test, t.shown)) for t in asked if t.kind == TRIAL]
        assert len(pairs) == len(set(pairs)) == 6 and len(asked) == 8
    counts = [trial.expected[trial.shown[0]] for trial in of_kind(test, ATTENTION)]
    assert len(set(counts)) == 2 and all(low == high for low, high in counts)


def test_the_same_seed_makes_the_same_files_whatever_the_order_of_systems(tmp_path, corpus):
    one = built(tmp_path / "one", corpus, "mos", n_items=3)
    two = built(tmp_path / "two", corpus, "mos", SYSTEMS[::-1], n_items=3)
    three = built(tmp_path / "three", corpus, "mos", n_items=3, seed=1)
    items = [{t.item for t in of_kind(test, TRIAL)} for test in (one, two, three)]
    assert items[0] == items[1] != items[2]
    again = built(tmp_path / "again", corpus, "mos", n_items=3)
    assert again.stimuli == one.stimuli and again.lists == one.lists and again.id == one.id
    for path in (tmp_path / "one/page").rglob("*.wav"):
        other = tmp_path / "again" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()
    assert not set(one.stimuli) & set(three.stimuli) and one.id != three.id


def test_a_peak_lowers_all_of_the_test_and_is_named(tmp_path, corpus):
    click = 0.5 * speech(110, 1.4, RATE)
    click[5000] = 1.0
    for name, wave in {"clicks": click, "plain": speech(110, 1.4, RATE)}.items():
        (tmp_path / name).mkdir()
        for sentence in SENTENCES[:2]:
            audio.write(tmp_path / name / f"{sentence}.wav", wave, RATE)
    both = [("clicks", tmp_path / "clicks"), ("plain", tmp_path / "plain")]
    test = build_test(tmp_path / "test", both, "ab", n_training=0, n_checks=0)
    assert (
        -29 < test.loudness < -25
        and len({round(s.loudness, 1) for s in test.stimuli.values()}) == 1
    )
    assert -1.15 < max(stimulus.peak for stimulus in test.stimuli.values()) <= -0.99
    (note,) = test.notes
    assert note.startswith(f"all stimuli are at {test.loudness:.1f} LUFS, not -23.0: ")
    assert "clicks/phrasing" in note and note.endswith(".wav would clip")


def test_a_file_that_is_missing_is_named_with_its_system(tmp_path, corpus):
    folder = tmp_path / "cut off"
    folder.mkdir()
    for path in (corpus / "converted_by_zebra" / DIRECTIONS[0]).iterdir():
        (folder / path.name).symlink_to(path if SENTENCES[2] not in path.name else tmp_path / "no")
    places = [("zebra", corpus / "converted_by_zebra" / DIRECTIONS[0]), ("quokka", folder)]
    said = f"quokka: there is no file {folder}/anna-{SENTENCES[2]}.wav; check the path"
    with pytest.raises(InputError, match=said):
        build_test(tmp_path / "test", places, "ab")


def test_recordings_with_an_offset_are_counted_and_the_worst_is_named(tmp_path, corpus):
    for name, offset in {"even": 0.0, "shifted": 0.003}.items():
        (tmp_path / name).mkdir()
        for number, sentence in enumerate(SENTENCES[:2]):
            wave = 0.5 * speech(110, 1.4, RATE) - offset * (1 + number)
            audio.write(tmp_path / name / f"{sentence}.wav", wave, RATE)
    both = [("even", tmp_path / "even"), ("shifted", tmp_path / "shifted")]
    test = build_test(tmp_path / "test", both, "ab", n_training=0, n_checks=0)
    assert test.notes == (
        f"2 of 4 recordings have a constant offset, {tmp_path}/shifted/{SENTENCES[1]}.wav one of "
        "-0.6% of full scale: it was subtracted",
    )
    found = {(one.system, round(one.offset, 3)) for one in test.stimuli.values()}
    assert {("even", 0), ("shifted", -0.003), ("shifted", -0.006)} <= found
    assert read_test(tmp_path / "test") == test


def test_the_manifest_says_how_it_was_made(tmp_path, corpus):
    first = corpus / "converted_by_zebra"
    noted = [{"voiceconv": "0.1.0", "model": "m", "digest": "d"}]
    (first / DIRECTIONS[0] / "conversion.json").write_text(json.dumps(noted))
    test = built(tmp_path / "test", corpus, "mos", n_items=1, seed=5, trim=None)
    made = test.systems["zebra"].made
    assert made["folders"] == [str(first)]
    assert made["conversions"] == {str(first / DIRECTIONS[0]): noted}
    assert test.provenance["seed"] == 5 and test.provenance["trim"] is None
    assert len(test.provenance["inputs"]) == 64 and test.provenance["voiceconv"]
    assert all(
        stimulus.start == 0 and len(stimulus.sha256) == 64 for stimulus in test.stimuli.values()
    )


def test_folders_of_one_name_are_joined(tmp_path, corpus):
    places = [("zebra", corpus / "converted_by_zebra" / d) for d in DIRECTIONS]
    test = build_test(tmp_path / "test", places, "mos", n_items=16, n_training=0, n_checks=0)
    assert {trial.direction for trial in test.trials.values()} == {""} and len(test.trials) == 16


def test_at_15_khz_there_is_no_mid_anchor_and_a_note(tmp_path, corpus):
    test = built(tmp_path / "test", corpus, "mushra", n_items=1, sample_rate=15000)
    assert test.names(ANCHOR) == ["anchor35"] and test.sample_rate == 15000
    assert "there is no mid anchor: 15000 Hz hold little more than its 7 kHz" in test.notes


def test_more_stimuli_than_the_standard_recommends_are_noted(tmp_path, corpus):
    many = [(f"s{n}", corpus / "converted_by_zebra") for n in range(10)]
    options = {"n_items": 1, "n_training": 0, "reference": corpus / "natural_takes"}
    test = build_test(tmp_path / "test", many, "mushra", **options)
    assert "a trial has 13 stimuli; BS.1534-3 recommends 12 at most" in test.notes


def test_usual_numbers(tmp_path, corpus):
    """Of 16 sentences 2 are for training; 12 are a multiple of 3 conditions; 2 checks."""
    test = built(tmp_path / "test", corpus, "mos")
    assert len({trial.item for trial in of_kind(test, TRIAL)}) == 12
    assert len(of_kind(test, ATTENTION)) == len(of_kind(test, TRAINING)) == 2


def test_the_page_in_another_language(tmp_path, corpus):
    built(tmp_path / "test", corpus, "mos", n_items=1)
    words = json.loads((tmp_path / "test/page/strings.json").read_text())
    first = next(key for key, value in words.items() if isinstance(value, str))
    text = json.dumps(words | {first: "Žluťoučký"}, ensure_ascii=False)
    (tmp_path / "words.json").write_text(text, encoding="utf-8-sig")  # as Notepad saves it
    built(tmp_path / "other", corpus, "mos", n_items=1, strings=tmp_path / "words.json")
    assert json.loads((tmp_path / "other/page/strings.json").read_text())[first] == "Žluťoučký"


@pytest.mark.parametrize("method", ["mos", "similarity", "ab", "abx", "mushra"])
def test_a_test_of_music_does_not_speak_of_voices(tmp_path, corpus, method):
    """In no text that a listener of this method reads, here or in webMUSHRA and ReSEval."""
    test = built(tmp_path / "test", corpus, method, n_items=2, music=True)
    words = json.loads((tmp_path / "test/page/strings.json").read_text())
    assert words.keys() == json.loads(STRINGS.read_text()).keys()
    assert "recordings of music" in words["consent"]["opening"]
    read = json.dumps(words | {"methods": words["methods"][method]})
    others = [*(tmp_path / "test").glob("webmushra/**/*.yaml")]
    others += (tmp_path / "test").glob("reseval/**/*.yaml")
    read += "".join(path.read_text() for path in others) + test.question + test.method.title
    read += _task(test)
    assert others and not re.findall(
        r"\bspeak\w*|\bvoices?\b|speech|talking", read.replace("voiceconv", "")
    )
    with pytest.raises(InputError, match="give one of both"):
        built(tmp_path / "b", corpus, method, n_items=2, music=True, strings=STRINGS)


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (lambda words: words.pop("next"), "next"),
        (lambda words: words["consent"].pop("button"), "consent.button"),
        (lambda words: words["methods"].update(mos={}), "methods.mos.question"),
        (lambda words: words.update(lang=1), "lang"),
        (lambda words: words["methods"]["mushra"]["bands"].pop(), "methods.mushra.bands"),
        (lambda words: words["consent"]["points"].__setitem__(1, None), "consent.points.1"),
    ],
)
def test_a_translation_that_lacks_something_is_refused_by_its_place(
    tmp_path, corpus, damage, place
):
    words = json.loads(STRINGS.read_text())
    damage(words)
    (tmp_path / "words.json").write_text(json.dumps(words))
    with pytest.raises(InputError, match=f"words.json lacks {place}, or has something else there"):
        built(tmp_path / "test", corpus, "mos", n_items=1, strings=tmp_path / "words.json")


def test_recordings_of_a_low_rate_have_no_mid_anchor_at_a_high_one(tmp_path, corpus):
    """Upsampled, they have nothing that the 7 kHz filter takes away."""
    for name in ("zebra", "takes"):
        (tmp_path / name).mkdir()
        audio.write(tmp_path / name / "one.wav", speech(150, 1.0, 12000), 12000)
    where = {"reference": tmp_path / "takes", "n_training": 0, "n_items": 1}
    systems = [("zebra", tmp_path / "zebra")]
    test = build_test(tmp_path / "test", systems, "mushra", sample_rate=48000, **where)
    assert test.names(ANCHOR) == ["anchor35"]
    assert "there is no mid anchor: 12000 Hz hold little more than its 7 kHz" in test.notes
    assert (
        "recordings have 12000 Hz, and stimuli 48000: there is nothing above 6000 Hz in them"
    ) in test.notes


@pytest.mark.parametrize(
    ("method", "names", "options", "said"),
    [
        ("best", SYSTEMS, {}, "there is no test 'best'; choose from mos"),
        ("mos", [], {}, "mos takes 1 systems or more"),
        ("abx", SYSTEMS[:1], {}, "abx takes 2 systems or more"),
        ("mushra", SYSTEMS, {"reference": None}, "mushra rates against a reference; add --ref"),
        ("similarity", SYSTEMS, {"target_reference": None}, "add --target-reference"),
        ("abx", SYSTEMS, {"reference": "natural_takes"}, "abx has no use for --reference"),
        (
            "mos",
            SYSTEMS,
            {"target_reference": "natural_takes"},
            "mos has no use for --target-reference",
        ),
        ("mushra", SYSTEMS, {"n_checks": 1}, "mushra's check is the hidden reference"),
        ("mos", SYSTEMS, {"n_items": 17}, "17 sentences are asked for, and 16 are common"),
        ("mos", SYSTEMS, {"loudness": 3.0}, "stimuli of 3 LUFS .* choose from -50 to -10"),
        ("mos", SYSTEMS, {"sample_rate": 100}, "no stimuli at 100 Hz; choose a rate from 4000"),
        ("mushra", SYSTEMS, {"sample_rate": 6000}, "low anchor ends at 3.5 kHz, and 6000 Hz"),
        ("mos", SYSTEMS, {"trim": float("nan")}, "silence can't be cut at nan dB"),
        ("mos", SYSTEMS, {"trim": -5.0}, "silence can't be cut at -5 dB; give a number above 0"),
        ("mos", SYSTEMS, {"reference": "nowhere"}, "there is no folder .*nowhere"),
        ("mos", SYSTEMS, {"strings": "natural_takes/utt2spk"}, "utt2spk is not readable as JSON"),
    ],
)
def test_what_cannot_be_built_is_refused_and_leaves_nothing(
    tmp_path, corpus, method, names, options, said
):
    places = {key: corpus / value for key, value in options.items() if isinstance(value, str)}
    with pytest.raises(InputError, match=said):
        built(tmp_path / "test", corpus, method, names, **(options | places))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["reference", "anchor35", "check", "a/b", ".hidden", " ", "a\nb", 51 * "ü"]
)
def test_names_that_would_be_mistaken_are_refused(tmp_path, corpus, name):
    with pytest.raises(InputError, match="a system|more than 100 bytes"):
        build_test(tmp_path / "test", [(name, corpus / "converted_by_zebra")], "mos")


def test_a_silent_recording_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "in").mkdir()
    audio.write(tmp_path / "in/mute.wav", torch.zeros(RATE), RATE)
    with pytest.raises(InputError, match=r"in/mute\.wav is silent"):
        build_test(tmp_path / "test", [("mute", tmp_path / "in")], "mos")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_is_there_already_is_left_alone(tmp_path, corpus):
    (tmp_path / "test").mkdir()
    (tmp_path / "test/mine").write_text("mine")
    with pytest.raises(InputError, match="there is something in .*test; choose another place"):
        built(tmp_path / "test", corpus, "mos")
    assert (tmp_path / "test/mine").read_text() == "mine"


def test_progress_counts_each_stimulus_twice(tmp_path, corpus):
    """Once when its wave is made, once when it is written."""
    seen = []
    test = built(
        tmp_path / "test", corpus, "mos", n_items=1, on_progress=lambda *step: seen.append(step)
    )
    total = 2 * len(test.stimuli)
    assert seen == [(number, total) for number in range(1, total + 1)]


def test_a_build_that_is_terminated_leaves_nothing(tmp_path, corpus):
    options = [f"--system={name}={folder}" for name, folder in systems_of(corpus)]
    command = "from voiceconv.cli import main; main()"
    arguments = ["listen", "build", *options, "--test", "ab", "-o", str(tmp_path / "test")]
    process = subprocess.Popen([sys.executable, "-c", command, *arguments])
    try:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob(".test.*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert list(tmp_path.iterdir()) == []
