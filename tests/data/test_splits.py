"""Splits by seed: how many, how long, which in common."""

from voiceconv.data.splits import split_by_seed


def test_default_counts() -> None:
    # A tenth and a twentieth of the smallest of a group, within 1..40 and 1..20.
    for n, n_test, n_val in ((3, 1, 1), (30, 3, 1), (200, 20, 10), (1000, 40, 20)):
        chosen = split_by_seed({"x": {f"{i:04d}": 1.0 for i in range(n)}})["x"]
        counts = [list(chosen.values()).count(s) for s in ("test", "val", "train")]
        assert counts == [n_test, n_val, n - n_test - n_val]


def test_train_is_balanced_by_seconds() -> None:
    common = {f"s{i}": 1.0 for i in range(12)}
    durations = {"poor": common, "rich": common | {f"own{i}": 1.0 for i in range(6)}}
    chosen = split_by_seed(durations, n_val=1, n_test=1)
    seconds = {d: sum(split == "train" for split in chosen[d].values()) for d in durations}
    assert seconds == {"poor": 8, "rich": 8}


def test_few_common_stems_are_filled_up_with_own_ones() -> None:
    durations = {
        "a": {"x": 1.0, "y": 1.0} | {f"a{i}": 1.0 for i in range(10)},
        "b": {"x": 1.0, "y": 1.0} | {f"b{i}": 1.0 for i in range(10)},
    }
    chosen = split_by_seed(durations, n_val=2, n_test=3)
    for domain in durations:
        splits = list(chosen[domain].values())
        assert [splits.count(s) for s in ("test", "val", "train")] == [3, 2, 7]
        assert chosen[domain]["x"] == chosen[domain]["y"] == "test"
