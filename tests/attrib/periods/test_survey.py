"""The survey behind summary.json: contract entries of every tile and axis."""

from attrib.analysis import analyse
from attrib.periods import survey_periods
from attrib.summary import summary
from harness.landscapes import bundled_cube

STATUSES = {"detected", "not detected", "not testable"}


def test_the_bundled_grid_shows_waves_and_says_what_its_step_hides():
    found = survey_periods(bundled_cube("h200_bf16_grid").isel(tile=[0, 2]))
    assert {item.axis for item in found} == {"M", "N", "K"}
    waves = [item for item in found if item.status == "detected" and (item.mechanism or "").startswith("waves")]
    assert {(item.axis, item.tile) for item in waves} == {
        (axis, tile) for axis in "MN" for tile in ("256x128x64", "128x128x64")
    }
    tiles = [item for item in found if "tile width" in (item.mechanism or "")]
    assert {item.status for item in tiles} == {"not testable"}


def test_summary_holds_the_entries():
    cube = bundled_cube("h200_bf16_grid").isel(tile=[0], M=slice(3, None, 4), K=slice(7, None, 8))
    entries = summary(analyse(cube))["periods"]
    assert entries
    for entry in entries:
        assert {"axis", "tile", "period", "lower", "upper", "mechanism", "p_value", "status"} <= set(entry)
        assert entry["status"] in STATUSES
        assert entry["axis"] == "N"
