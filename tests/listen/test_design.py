"""Latin squares: every count that balance promises, counted."""

from collections import Counter
from itertools import pairwise

import pytest

from voiceconv.listen.building.design import display_order, make_lists, spread, williams


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


def test_stimuli_of_a_trial_stand_at_each_place_equally_often_over_listeners():
    shown = ["a", "b", "c"]
    orders = [display_order(shown, number, item=4) for number in range(6)]
    places = Counter(pair for order in orders for pair in enumerate(order))
    assert len(places) == 9 and set(places.values()) == {2}


def test_checks_lie_apart_and_not_at_the_ends():
    assert spread([0, 1, 2, 3, 4, 5], "ab") == [0, 1, "a", 2, 3, "b", 4, 5]
    assert spread([0, 1, 2], "a") == [0, 1, "a", 2]
    assert spread([0, 1], "") == [0, 1]
