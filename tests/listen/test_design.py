"""Latin squares: every count that balance promises, counted."""

from collections import Counter
from itertools import pairwise

import pytest

from voiceconv.listen.building.design import display_order, make_lists, spread, williams
from voiceconv.listen.building.selection import Item, Key, Picked
from voiceconv.listen.building.trials import Plan, conditions
from voiceconv.listen.manifest import REFERENCE
from voiceconv.listen.methods import METHODS


def test_the_square_of_four_is_williams_own():
    assert williams(4) == [[0, 3, 1, 2], [1, 0, 2, 3], [2, 1, 3, 0], [3, 2, 0, 1]]


@pytest.mark.parametrize("n", range(1, 14))
def test_each_condition_stands_everywhere_and_follows_each_other_equally_often(n):
    rows = williams(n)
    assert len(rows) == (n if n % 2 == 0 or n == 1 else 2 * n)
    assert all(sorted(row) == list(range(n)) for row in rows)
    places = Counter((place, condition) for row in rows for place, condition in enumerate(row))
    assert set(places.values()) == {len(rows) // n} and len(places) == n * n
    followers = Counter(pair for row in rows for pair in pairwise(row))
    assert len(followers) == n * (n - 1)
    assert len(set(followers.values())) <= 1


DESIGNS = [  # items, conditions, variants
    (20, 4, 1), (20, 3, 1), (20, 1, 2), (20, 1, 4), (18, 3, 4), (12, 1, 1), (21, 4, 1), (2, 3, 2)
]  # fmt: skip


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("n_items", "n_conditions", "n_variants"), DESIGNS)
def test_over_all_lists_each_presentation_of_each_item_is_as_often(
    n_items, n_conditions, n_variants, full
):
    lists = make_lists(n_items, n_conditions, n_variants, full)
    counts = Counter(slot for slots in lists for slot in slots)
    assert len(counts) == n_items * n_conditions * n_variants
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize(("n_items", "n_conditions", "n_variants"), DESIGNS)
def test_in_a_list_each_item_comes_once_and_conditions_and_variants_are_as_often(
    n_items, n_conditions, n_variants
):
    for slots in make_lists(n_items, n_conditions, n_variants):
        assert sorted(slot.item for slot in slots) == list(range(n_items))
        conditions = Counter(slot.condition for slot in slots)
        each = [conditions[condition] for condition in range(n_conditions)]
        assert max(each) - min(each) <= 1
        for condition in range(n_conditions):
            variants = Counter(slot.variant for slot in slots if slot.condition == condition)
            each = [variants[variant] for variant in range(n_variants)]
            assert max(each) - min(each) <= 1


def test_a_full_list_has_every_item_in_every_condition_and_comes_back_after_all_others():
    for slots in make_lists(12, 3, full=True):
        assert Counter((slot.item, slot.condition) for slot in slots) == {
            (item, condition): 1 for item in range(12) for condition in range(3)
        }
        for first in range(0, 36, 12):
            assert len({slot.item for slot in slots[first : first + 12]}) == 12


def test_places_of_items_are_balanced_where_each_trial_shows_everything():
    lists = make_lists(12, 1)
    places = Counter((place, slot.item) for slots in lists for place, slot in enumerate(slots))
    assert len(places) == 144 and set(places.values()) == {1}


def test_the_seed_decides_the_variants_and_nothing_else():
    first, again, other = (make_lists(20, 2, 2, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert [[s[:2] for s in slots] for slots in first] == [
        [s[:2] for s in slots] for slots in other
    ]


@pytest.mark.parametrize(
    ("n_items", "n_shown", "n_lists"), [(10, 7, 70), (12, 5, 60), (20, 8, 40), (25, 9, 54)]
)
def test_stimuli_shown_together_are_balanced_over_lists(n_items, n_shown, n_lists):
    """Of each item, too: each stimulus at each place, and after each other, equally often."""
    orders = williams(n_shown)
    lists = make_lists(n_items, 1, len(orders))
    assert len(lists) == n_lists
    of_items, of_pairs, heads = Counter(), Counter(), Counter()
    for slots in lists:
        heads.update((place, slot.item) for place, slot in enumerate(slots))
        for item, _, variant in slots:
            order = display_order(range(n_shown), variant)
            of_items.update((item, place, name) for place, name in enumerate(order))
            of_pairs.update((item, *pair) for pair in pairwise(order))
    assert len(of_items) == n_items * n_shown**2
    assert set(of_items.values()) == {n_lists // n_shown}
    assert len(of_pairs) == n_items * n_shown * (n_shown - 1)
    assert len(set(of_pairs.values())) == 1
    # Places of items: a whole number of squares, or of 25 items 54 lists for a square of 50 rows
    assert len(heads) == n_items**2
    assert max(heads.values()) - min(heads.values()) == (1 if n_items == 25 else 0)


def test_a_planned_mushra_test_is_balanced():
    """10 items of 4 systems, the reference and two anchors: 70 lists, all counts alike."""
    systems, anchors = ["a", "b", "c", "d"], ["anchor35", "anchor70"]
    recordings = dict.fromkeys([*systems, REFERENCE])
    items = [Item(Key("", f"s{number}"), recordings) for number in range(12)]
    together = conditions(METHODS["mushra"], systems, anchors, has_reference=True)
    plan = Plan(METHODS["mushra"], together, "key", 0, 16000, "")
    plan.fill(Picked(items[:10], items[10:11], [], items[11]), full=False)
    assert len(plan.lists) == 70
    places, followers, heads = Counter(), Counter(), Counter()
    for _, *turns in plan.lists:  # after training
        heads.update((place, turn.trial) for place, turn in enumerate(turns))
        for turn in turns:
            places.update((turn.trial, *one) for one in enumerate(turn.order))
            followers.update((turn.trial, *pair) for pair in pairwise(turn.order))
    assert len(places) == 10 * 7 * 7 and set(places.values()) == {10}
    assert len(followers) == 10 * 7 * 6 and set(followers.values()) == {10}
    assert len(heads) == 10 * 10 and set(heads.values()) == {7}


def test_a_list_shows_stimuli_in_each_order_as_often():
    for slots in make_lists(28, 1, 14):
        assert set(Counter(slot.variant for slot in slots).values()) == {2}


def test_checks_lie_apart_and_not_at_the_ends():
    assert spread([0, 1, 2, 3, 4, 5], "ab") == [0, 1, "a", 2, 3, "b", 4, 5]
    assert spread([0, 1, 2], "a") == [0, 1, "a", 2]
    assert spread([0, 1], "") == [0, 1]
