"""Curves from TensorBoard files: resumed runs, gaps, thinning."""

import math

import numpy as np
import pytest
from tiny_run import write_curves

from voiceconv.report.scalars import Curve, read_curves, thinned


@pytest.mark.parametrize("purge_step", [3, None])
def test_what_a_resumed_run_did_again_counts_once_as_it_came_last(tmp_path, caplog, purge_step):
    write_curves(tmp_path, {"generator/cycle": [(step, 1.0) for step in range(1, 6)]})
    write_curves(tmp_path, {"generator/cycle": [(step, 2.0) for step in (3, 4, 5, 6)]}, purge_step)
    curve = read_curves(tmp_path)["generator/cycle"]
    assert curve.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert curve.values.tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    assert not caplog.records


def test_what_was_thrown_away_before_a_restart_is_not_shown(tmp_path):
    write_curves(tmp_path, {"generator/cycle": [(step, 1.0) for step in range(1, 10)]})
    write_curves(tmp_path, {"generator/cycle": [(4, 2.0)]}, purge_step=4)
    assert read_curves(tmp_path)["generator/cycle"].steps.tolist() == [1, 2, 3, 4]


def test_values_that_are_not_finite_are_left_out(tmp_path):
    write_curves(tmp_path, {"a/b": [(1, 1.0), (2, math.nan), (3, 3.0)], "a/c": [(1, math.inf)]})
    curves = read_curves(tmp_path)
    assert list(curves) == ["a/b"]
    assert curves["a/b"].steps.tolist() == [1, 3]


def test_a_folder_without_event_files_has_no_curve(tmp_path):
    assert read_curves(tmp_path) == {}


def test_thinning_gives_mean_lowest_and_highest_of_neighbours():
    curve = Curve(np.arange(6) * 10, np.array([1.0, 3.0, 5.0, 6.0, 8.0, 1.0]))
    mean, low, high = thinned(curve, 3)
    assert mean.steps.tolist() == [10, 30, 50]
    assert mean.values.tolist() == [2.0, 5.5, 4.5]
    assert low.values.tolist() == [1.0, 5.0, 1.0]
    assert high.values.tolist() == [3.0, 6.0, 8.0]


def test_a_curve_of_few_points_stays_as_it_is():
    curve = Curve(np.arange(5), np.arange(5.0))
    assert all(part is curve for part in thinned(curve, 3))
