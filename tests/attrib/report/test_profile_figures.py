"""Profiles of constants in the report, and the table beside them."""

from dataclasses import replace

import pytest

from attrib.report.constant_table import constant_table
from attrib.report.profile_figures import profile_figures
from models.constants.constant import Constant


def points(figure, panel):
    suffix = "" if panel == 0 else str(panel + 1)
    return {trace["name"]: trace for trace in figure.data if trace["xaxis"] == f"x{suffix}"}


def test_every_candidate_is_drawn_once_and_the_best_lies_at_zero(grid):
    (figure,) = profile_figures(grid)
    cores = next(iter(grid.fit.tiles.values())).constants["cores"]
    drawn = points(figure, 0)
    kept, refuted = drawn["in the 95 % set"], drawn["refuted"]
    assert kept["x"] == list(cores.values)
    assert len(kept["x"]) + len(refuted["x"]) == len(cores.profile.candidates)
    assert min([*kept["y"], *refuted["y"]]) == 0.0
    assert figure.layout["annotations"][0]["text"].startswith("<b>cores")
    figure.to_json()


def test_no_figure_without_a_profile(grid):
    plain = {
        label: replace(fit, constants={name: replace(c, profile=None) for name, c in fit.constants.items()})
        for label, fit in grid.fit.tiles.items()
    }
    assert profile_figures(replace(grid, fit=replace(grid.fit, tiles=plain))) == ()


def with_constant(grid, name, constant):
    tiles = {label: replace(fit, constants={name: constant}) for label, fit in grid.fit.tiles.items()}
    return constant_table(replace(grid, fit=replace(grid.fit, tiles=tiles)))


def test_the_table_says_the_reason_and_the_remedy_of_what_is_open(grid):
    status = "not identifiable on this grid: two sizes explain it alike"
    table = with_constant(
        grid, "cache_spill_bytes", Constant(2.0**21, (2.0**20, 2.0**21), status, "B", remedy="larger sets")
    )
    ((name, cell, *_),) = table.rows
    assert name.text == "working set that spills the cache"
    assert cell.value == 2.0**21
    assert status in cell.note
    assert "would be identified by larger sets" in cell.note
    assert "or" in cell.note


@pytest.mark.parametrize(("value", "text"), [(5.5e12, "5.50 TFLOP/s"), (4.2e9, "4.20 GFLOP/s")])
def test_a_rate_has_its_unit_and_interval(grid, value, text):
    constant = Constant(value, (0.9 * value, 1.1 * value), "identified", "FLOP/s", "interval")
    ((_, cell, *_),) = with_constant(grid, "core_rate_flop_per_s", constant).rows
    assert cell.text == text
    assert cell.value == value
    assert cell.note
