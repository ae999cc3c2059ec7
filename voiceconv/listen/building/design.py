"""The sentences, systems and orders of each listener: balanced Latin squares over listeners.

A *condition* is the compared unit: a system, or a pair of systems. Williams 1949 (Australian
Journal of Scientific Research 2): an order for each of n listeners (2n where n is odd) in which
every condition has every position equally often, and follows every other one equally often.
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

MOST_LISTS = 150  # up to this number of lists, the order of blocks is exactly a square
T = TypeVar("T")


class Slot(NamedTuple):
    """One trial of a list, by numbers; `variant` is the way to present the condition."""

    item: int
    condition: int
    variant: int


def williams(n: int) -> list[list[int]]:
    """Orders of n conditions: n rows, 2n where n is odd and above 1."""
    first = [place // 2 if place % 2 == 0 else n - 1 - place // 2 for place in range(n)]
    rows = [[(condition + shift) % n for condition in first] for shift in range(n)]
    return rows if n % 2 == 0 or n == 1 else rows + [row[::-1] for row in rows]


def make_lists(
    n_items: int, n_conditions: int, n_variants: int = 1, full: bool = False, seed: int = 0
) -> list[list[Slot]]:
    """The lists of a test, for the listeners in their order.

    Each list has each item once, in one condition; `full`: in all conditions, all items before the
    first repetition. In a list all conditions are equally frequent; a block of `n_conditions` items
    has each once; the same holds for the variants of each. Over all lists, each item has each
    condition, and each of its variants, equally often. The order of conditions in a block, and the
    order of blocks, is a Williams square. The square of blocks is complete unless that takes more
    than MOST_LISTS lists: then some of its rows occur once more than others.
    """
    orders = williams(n_conditions)
    blocks = [range(i, min(i + n_conditions, n_items)) for i in range(0, n_items, n_conditions)]
    block_orders = williams(len(blocks))
    variants = _variants(n_items, n_conditions, n_variants, random.Random(seed))
    least = len(orders) * n_variants
    n_lists = math.lcm(least, len(block_orders))
    if n_lists > MOST_LISTS:
        n_lists = least * math.ceil(len(block_orders) / least)
    rounds = n_conditions if full else 1

    def one_list(number: int) -> Iterator[Slot]:
        for turn in range(number, number + rounds):
            order = orders[turn % len(orders)]
            for block in block_orders[turn % len(block_orders)]:
                item_of = {(item + turn) % n_conditions: item for item in blocks[block]}
                for condition in (c for c in order if c in item_of):
                    item = item_of[condition]
                    variant = variants[item][condition] + number // len(orders)
                    yield Slot(item, condition, variant % n_variants)

    return [list(one_list(number)) for number in range(n_lists)]


def display_order(shown: Sequence[T], variant: int) -> list[T]:
    """The order of the stimuli in one trial: a row of a Williams square."""
    rows = williams(len(shown))
    return [shown[place] for place in rows[variant % len(rows)]]


def spread(turns: Sequence[T], checks: Iterable[T]) -> list[T]:
    """Insert the checks between the turns, as far as possible from each other and the ends."""
    checks, result = list(checks), list(turns)
    for number, check in reversed(list(enumerate(checks, 1))):
        result.insert(round(number * len(turns) / (len(checks) + 1)), check)
    return result


def _variants(
    n_items: int, n_conditions: int, n_variants: int, rng: random.Random
) -> list[list[int]]:
    """(items, conditions): the variants of the first lists.

    Items with the same condition in a list are n_conditions apart; among them all variants are
    equally frequent.
    """
    variants = [[0] * n_conditions for _ in range(n_items)]
    for condition in range(n_conditions):
        for first in range(n_conditions):
            items = list(range(first, n_items, n_conditions))
            drawn = [place % n_variants for place in range(len(items))]
            rng.shuffle(drawn)
            for item, variant in zip(items, drawn, strict=True):
                variants[item][condition] = variant
    return variants
