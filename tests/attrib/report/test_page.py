"""The page: one file that asks nothing of the network, says what the analysis says, and survives hostile text."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import plotly.graph_objects as go
import pytest

from attrib.report import write_report
from attrib.report.findings import findings
from attrib.report.page import TABLE_VALUES, render_report
from harness.errors import InputError
from models.constants.collect import STATED
from models.constants.constant import IDENTIFIED, Constant

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements, addresses, tables and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.handlers = [], set(), [], []
        self.text, self.headings, self.scripts, self.tables = [], [], {}, {}
        self._script, self._table = None, None
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids.add(attrs.get("id"))
        self.addresses += [attrs[key] for key in ("src", "href") if key in attrs]
        self.handlers += [key for key in attrs if key.startswith("on")]
        if tag == "script":
            self._script = attrs.get("id", f"plain-{len(self.scripts)}")
            self.scripts[self._script] = ""
        if attrs.get("class") == "table":
            self._table = self.tables.setdefault(attrs["id"], [])
        if tag == "tr":
            self._table.append([])
        if tag in ("td", "th"):
            self._table[-1].append(["", attrs.get("data-value")])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self._script = None if tag == "script" else self._script

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] += data
            return
        if self.open[-1:] == ["style"]:
            return
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data.strip())
        if {"td", "th"} & set(self.open):
            self._table[-1][-1][0] += data

    def figures(self):
        return {name: json.loads(text) for name, text in self.scripts.items() if name.startswith("figure-")}


@pytest.fixture(scope="module")
def page(grid):
    return Page(render_report(grid))


@pytest.fixture(scope="module")
def sparse_page(samples):
    return Page(render_report(samples))


def cell(page, table, row, column):
    rows = page.tables[table]
    index = [text for text, _ in rows[0]].index(column)
    return next(r for r in rows[1:] if r[0][0] == row)[index]


def test_has_all_sections_in_order(page):
    expected = ["Findings", "The landscape", "The stages", "The causes", "The fit", "What things cost"]
    expected += ["What was left out, and why", "Glossary"]
    assert [h for h in page.headings if h in expected] == expected
    names = ["landscapes", "ladder", "line", "removable", "attribution", "intervals"]
    names += ["actors", "density", "fit-lines", "residual-map", "trends", "time-shares", "profiles"]
    assert list(page.figures()) == [f"figure-{name}-data" for name in names]
    assert TABLE_VALUES in "".join(page.text)


@pytest.mark.parametrize("which", ["page", "sparse_page"])
def test_is_self_contained(which, request):
    found = request.getfixturevalue(which)
    outside = [a for a in found.addresses if not a.startswith("#") and a != "data:,"]
    assert outside == []
    assert all(a[1:] in found.ids for a in found.addresses if a.startswith("#"))
    assert sum(len(text) > 1_000_000 for text in found.scripts.values()) == 1


@pytest.mark.parametrize("which", ["page", "sparse_page"])
def test_figures_are_valid_titled_and_not_empty(which, request):
    figures = request.getfixturevalue(which).figures()
    assert figures
    for name, figure in figures.items():
        go.Figure(figure)
        assert figure["data"], name
        axes = {key: value for key, value in figure["layout"].items() if re.fullmatch(r"[xy]axis\d*", key)}
        assert any(axis["title"]["text"] for key, axis in axes.items() if key.startswith("x")), name


def test_hostile_text_stays_text(page, sparse_page, grid):
    for found in (page, sparse_page):
        code = [text for name, text in found.scripts.items() if name.startswith("plain")]
        assert not any("alert" in text for text in code if len(text) < 99_999)
        assert found.handlers == []
        # 1 library, 1 loader, and the data of the figures: nothing was smuggled in.
        assert len(found.scripts) == 2 + len(found.figures())
    assert grid.device.name in "".join(page.text)
    shown = json.dumps(sparse_page.figures())
    assert "<script" not in shown


def test_numbers_equal_those_of_the_analysis(page, grid):
    for stage in grid.stages:
        name = stage.name.removeprefix("fixed ")
        text, value = cell(page, "stages-table", name, "mean")
        assert float(value) == stage.mean_tflops
        assert float(text) == pytest.approx(stage.mean_tflops, abs=0.051)
        assert float(cell(page, "stages-table", name, "roughness N, slice")[1]) == stage.roughness.slice_N
    for index, fit in enumerate(grid.fit.tiles.values()):
        shown = {row[1][0]: row for row in page.tables[f"coefficients-{index}"][1:]}
        for estimate in fit.estimates:
            if estimate.identifiable:
                assert float(shown[estimate.name][2][1]) == estimate.estimate
                assert float(shown[estimate.name][4][1]) == estimate.share
            else:
                row = next(row for names, row in shown.items() if estimate.name in names.split("; "))
                assert row[2][0] == "not identifiable on this grid"
                assert estimate.reason in row[5][0]


def test_listed_shares_add_up(page, grid):
    rows = page.tables["attribution-table"]
    assert len(rows) - 1 == sum(stage.attribution is not None for stage in grid.stages) > 5
    for row in rows[1:]:
        measured, *shares = (float(value) for _, value in row[1:-3])
        assert sum(shares) == pytest.approx(measured, rel=1e-9)
        assert sum(float(text.replace("−", "-")) for text, _ in row[2:-3]) == pytest.approx(measured, abs=0.06)


def test_bars_of_a_stage_add_up_to_its_mark(page):
    data = page.figures()["figure-attribution-data"]["data"]
    bars = np.array([trace["x"] for trace in data if trace["type"] == "bar"])
    np.testing.assert_allclose(bars.sum(axis=0), data[-1]["x"], atol=0.03)


@pytest.mark.parametrize(
    ("note", "told"), [("", "From the timings alone it counts"), (f"{STATED}, ...", "timings do not refute them")]
)
def test_findings_say_who_counted_the_cores(grid, note, told):
    tiles = {
        label: replace(
            tile,
            constants={**tile.constants, "cores": Constant(20.0, (20.0, 40.0), IDENTIFIED, "cores", note=note)},
        )
        for label, tile in grid.fit.tiles.items()
    }
    text = " ".join(findings(replace(grid, fit=replace(grid.fit, tiles=tiles))))
    assert told in text
    assert "20 " in text


def test_findings_quote_the_analysis(page, grid):
    text = "".join(page.text).replace("\u00a0", " ")
    fixed = grid.stages[0]
    assert f"{fixed.mean_tflops:.1f} TFLOP/s on average" in text
    share = fixed.attribution.shares["wave quantization"].share
    assert f"wave quantization {share:.1f} ({100 * share / fixed.attribution.roughness:.0f} %)" in text
    assert f"{grid.stage('best tile').mean_tflops:.1f} TFLOP/s" in text


def test_says_when_times_are_simulated(page, sparse_page):
    assert "SIMULATED" in page.text
    assert "SIMULATED" not in sparse_page.text


def test_sparse_page_holds_what_applies(sparse_page, samples):
    assert samples.landscape is None
    names = ("density", "trends", "time-shares", "profiles")
    assert set(sparse_page.figures()) == {f"figure-{name}-data" for name in names}
    assert {"stages-table", "coefficients-0", "left-out-table"} <= set(sparse_page.tables)
    assert [text for text, _ in sparse_page.tables["stages-table"][0]] == ["stage", "mean", "peak"]
    assert "The causes" not in sparse_page.headings


def test_every_omission_is_named_once(page, grid):
    rows = [tuple(text for text, _ in row) for row in page.tables["left-out-table"][1:]]
    assert len(set(rows)) == len(rows)
    for item in grid.skipped:
        assert any(item.reason in row[2] for row in rows), item


def test_analysis_without_attribution_or_references(grid):
    bare = replace(
        grid,
        ideal=None,
        optimal=None,
        stages=tuple(
            replace(s, attribution=None, attributions={}, actors={}, optimality=None, note="no model")
            for s in grid.stages
        ),
    )
    found = Page(render_report(bare))
    assert "attribution-table" not in found.tables
    assert "figure-ladder-data" in found.figures()
    assert "no model" in "".join(found.text)


def test_analysis_without_stages_or_model(grid):
    bare = replace(grid, stages=(), fit=replace(grid.fit, tiles={}), ideal=None, optimal=None, skipped=())
    found = Page(render_report(bare))
    assert found.figures() == {}
    assert found.scripts == {}


def test_a_failing_write_keeps_the_old_page(grid, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("attrib.report.page.findings", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(grid, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    with pytest.raises(InputError, match="does not exist"):
        write_report(grid, tmp_path / "missing" / "report.html")


def test_writes_a_page_of_bearable_size(grid, tmp_path):
    path = tmp_path / "report.html"
    write_report(grid, path)
    text = path.read_text(encoding="utf-8")
    assert text.lstrip().startswith("<!DOCTYPE html>")
    assert len(text) < 8_000_000
