"""Which recordings a listening test is made of. Files are 0.1 s of noise unless length matters."""

import random
from pathlib import Path

import pytest
import torch

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.listen.building.selection import TARGET, Key, Numbers, candidates, find, pick
from voiceconv.listen.manifest import REFERENCE

RATE = 8000


def record(path: Path, seconds: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write(path, 0.1 * torch.rand(round(seconds * RATE)), RATE)
    return path


def folder_of(root: Path, *names: str, seconds: float = 0.1) -> Path:
    for name in names:
        record(root / f"{name}.wav", seconds)
    return root


def data_dir_of(root: Path, domains: dict[str, str], seconds: float = 0.1) -> Path:
    """Utterance -> domain, as a Kaldi data directory."""
    folder_of(root / "wav", *domains, seconds=seconds)
    (root / "wav.scp").write_text("".join(f"{u} {root}/wav/{u}.wav\n" for u in sorted(domains)))
    (root / "utt2spk").write_text("".join(f"{u} {d}\n" for u, d in sorted(domains.items())))
    return root


def chosen(systems, reference=None, target=None, longest=12.0, seed=0):
    places = {**systems, REFERENCE: reference, TARGET: target}
    found = {name: find([folder]) for name, folder in places.items() if folder is not None}
    return candidates(found, longest, seed)


def names_of(items) -> list[str]:
    return [item.name for item in items]


def test_a_recording_is_known_by_its_sub_folder_or_domain_and_its_name(tmp_path):
    recipe = folder_of(tmp_path / "recipe", "F-M/F-1", "M-F/M-1")
    flat = folder_of(tmp_path / "flat", "F-1")
    kaldi = data_dir_of(tmp_path / "kaldi", {"F-1": "F", "M-1": "M"})
    assert set(find([recipe])) == {Key("F-M", "F-1"), Key("M-F", "M-1")}
    assert set(find([flat])) == {Key("", "F-1")}
    assert set(find([kaldi])) == {Key("F", "F-1"), Key("M", "M-1")}
    assert set(find([recipe, flat])) == {Key("F-M", "F-1"), Key("M-F", "M-1"), Key("", "F-1")}
    assert [str(key) for key in sorted(find([recipe, flat]))] == ["F-1", "F-M/F-1", "M-F/M-1"]


def test_one_name_in_two_folders_of_a_system_is_refused(tmp_path):
    one, two = folder_of(tmp_path / "one", "a"), folder_of(tmp_path / "two", "a")
    with pytest.raises(InputError, match=r"one/a\.wav and .*two/a\.wav have the same name"):
        find([one, two])


def test_of_one_name_in_several_formats_each_is_a_recording(tmp_path):
    folder_of(tmp_path / "ours/a-b", "1", "1.flac", "2")
    folder_of(tmp_path / "theirs/a-b", "1", "2")
    record(tmp_path / "theirs/a-b/1.flac")
    items, notes = chosen({"ours": tmp_path / "ours", "theirs": tmp_path / "theirs"})
    assert [item.name for item in items] == ["a-b/1", "a-b/1.flac", "a-b/2"] and not notes


def test_what_all_systems_have_is_a_candidate_and_the_rest_is_told(tmp_path):
    ours = folder_of(tmp_path / "ours", "F-M/1", "F-M/2", "M-F/1")
    knn = folder_of(tmp_path / "knn", "F-M/1", "F-M/2", "F-M/3")
    items, notes = chosen({"ours": ours, "knn": knn})
    assert names_of(items) == ["F-M/1", "F-M/2"]
    assert items[1].recordings["knn"].path == knn / "F-M/2.wav"
    assert notes == [
        "1 recording left out, such as F-M/3: not in ours",
        "1 recording left out, such as M-F/1: not in knn",
    ]


def test_nothing_in_common_names_an_example_of_each(tmp_path):
    ours, knn = folder_of(tmp_path / "ours", "F-M/1"), folder_of(tmp_path / "knn", "1")
    with pytest.raises(InputError, match="ours has 'F-M/1', knn has '1'.*the same names"):
        chosen({"ours": ours, "knn": knn})


@pytest.mark.parametrize(
    "names",
    [
        ["F-M/M-1", "F-M/M-2", "M-F/F-1"],  # as the systems' folders are
        ["M/M-1", "M/M-2", "F/F-1"],  # by target, each file under its own name
        ["M/1", "M/2", "F/1"],  # by target, the sentence's name alone
    ],
)
def test_a_reference_lies_under_the_direction_or_the_target(tmp_path, names):
    ours = folder_of(tmp_path / "ours", "F-M/F-1", "F-M/F-2", "M-F/M-1", "M-F/M-2")
    items, notes = chosen({"ours": ours}, reference=folder_of(tmp_path / "ref", *names))
    found = [str(i.recordings[REFERENCE].path.relative_to(tmp_path / "ref"))[:-4] for i in items]
    assert names_of(items) == ["F-M/F-1", "F-M/F-2", "M-F/M-1"] and found == names
    assert notes == ["1 recording left out, such as M-F/M-2: not in --reference"]


def test_references_of_a_data_directory_are_the_targets_own(tmp_path):
    ours = folder_of(tmp_path / "ours", "F-M/F-1", "M-F/M-1")
    reference = data_dir_of(tmp_path / "data", {"F-1": "F", "M-1": "M"})
    items, _ = chosen({"ours": ours}, reference=reference)
    assert [item.recordings[REFERENCE].id for item in items] == ["M-1", "F-1"]


def test_a_flat_folder_of_references_serves_every_direction(tmp_path):
    ours = folder_of(tmp_path / "ours", "F-M/F-1", "G-M/G-1")
    items, _ = chosen({"ours": ours}, reference=folder_of(tmp_path / "ref", "1"))
    assert [item.recordings[REFERENCE].id for item in items] == ["1", "1"]


def test_no_reference_at_all_names_an_example(tmp_path):
    ours, other = folder_of(tmp_path / "ours", "F-M/F-1"), folder_of(tmp_path / "ref", "F/1")
    with pytest.raises(InputError, match="'F-M/F-1' and all others are not in --reference"):
        chosen({"ours": ours}, reference=other)


def test_the_target_says_another_sentence_and_long_enough(tmp_path):
    ours = folder_of(tmp_path / "ours", "F-M/F-1", "F-M/F-2")
    target = folder_of(tmp_path / "target", "M/M-1", "M/M-2", "M/M-3", seconds=1.2)
    record(target / "M/M-4.wav", 0.9)
    picked = set()
    for seed in range(20):
        for item in chosen({"ours": ours}, target=target, seed=seed)[0]:
            picked.add((item.key.stem[-1], item.recordings[TARGET].id[-1]))
    assert picked == {("1", "2"), ("1", "3"), ("2", "1"), ("2", "3")}


def test_long_recordings_are_left_out(tmp_path):
    ours = folder_of(tmp_path / "ours", "1", "2")
    record(ours / "3.wav", 0.3)
    items, notes = chosen({"ours": ours}, longest=0.2)
    assert names_of(items) == ["1", "2"]
    assert notes == ["1 recording left out, such as 3: longer than 0.2 seconds"]


def corpus(tmp_path: Path, **n_files: int) -> Path:
    return folder_of(tmp_path, *(f"{d}/{n}" for d, count in n_files.items() for n in range(count)))


def test_a_pick_is_balanced_over_directions_as_far_as_there_are_sentences(tmp_path):
    items, _ = chosen({"ours": corpus(tmp_path, ab=8, ba=8, cd=2)})
    picked, notes = pick(items, Numbers(10, 2, 1), seed=3)
    assert [item.key.direction for item in picked.items] == 4 * ["ab"] + 4 * ["ba"] + 2 * ["cd"]
    assert notes == ["directions are not as often as each other: ab 4, ba 4, cd 2"]
    everything = names_of([*picked.items, *picked.training, *picked.checks, picked.level])
    assert len(set(everything)) == 14  # nothing is heard twice
    even, notes = pick(items, Numbers(6, 0, 0), seed=3)
    assert [item.key.direction for item in even.items] == 2 * ["ab"] + 2 * ["ba"] + 2 * ["cd"]
    assert not notes and set(names_of(even.items)) < set(names_of(picked.items))


def test_a_pick_depends_on_the_seed_and_not_on_any_order(tmp_path):
    ours, knn = corpus(tmp_path / "ours", ab=9, ba=9), corpus(tmp_path / "knn", ba=9, ab=9)
    first, _ = pick(chosen({"ours": ours, "knn": knn})[0], Numbers(6, 2, 1), seed=0)
    items, _ = chosen({"knn": knn, "ours": ours})
    random.Random(1).shuffle(items)
    second, _ = pick(items, Numbers(6, 2, 1), seed=0)
    assert first.items == second.items and first.training == second.training
    assert first.checks == second.checks and first.level == second.level
    assert names_of(pick(items, Numbers(6, 2, 1), seed=1)[0].items) != names_of(first.items)


def test_training_repeats_sentences_where_there_are_no_others(tmp_path):
    items, _ = chosen({"ours": corpus(tmp_path, ab=3)})
    picked, notes = pick(items, Numbers(3, 2, 1), seed=0)
    assert notes == ["training repeats sentences of the test: there are no more of them"]
    assert len(picked.training) == 2 and set(names_of(picked.training)) < set(names_of(items))


def test_names_and_places_pair_in_either_unicode_form(tmp_path):
    ours = folder_of(tmp_path / "ours", "Ju\u0308rgen-Zoe\u0308/sa\u0308tze")
    knn = folder_of(tmp_path / "knn", "Jürgen-Zoë/sätze")
    reference = folder_of(tmp_path / "reference", "Zoë/sa\u0308tze")
    items, notes = chosen({"ours": ours, "knn": knn}, reference)
    assert names_of(items) == ["Jürgen-Zoë/sätze"] and notes == []
    assert {name: one.path for name, one in items[0].recordings.items()} == {
        "ours": ours / "Ju\u0308rgen-Zoe\u0308/sa\u0308tze.wav",
        "knn": knn / "Jürgen-Zoë/sätze.wav",
        REFERENCE: reference / "Zoë/sa\u0308tze.wav",
    }
