"""The diagnostics page: self-contained, axes with units, numbers of the result, hostile text."""

import json
import re
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from attrib.diagnostics import diagnose
from attrib.report.diagnostics_findings import diagnostics_findings
from attrib.report.diagnostics_page import render_diagnostics, write_diagnostics
from attrib.report.diagnostics_tables import p_text
from attrib.report.page import render_report
from models.reasons import ONE_SIZE


@pytest.fixture(scope="module")
def found(grid):
    return diagnose(grid.cube, grid.fit, draws=99)


@pytest.fixture(scope="module")
def text(grid, found):
    return render_diagnostics(grid.cube, grid.fit, found)


def figures(text):
    pattern = r'<script type="application/json" id="figure-([a-z-]+)-data">(.*?)</script>'
    return {name: json.loads(data) for name, data in re.findall(pattern, text, re.DOTALL)}


def test_asks_nothing_of_the_network(text):
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert {a for a in re.findall(r'(?:src|href)="([^"]*)"', page) if not a.startswith(("#", "data:"))} == set()
    for address in re.findall(r'href="#([^"]*)"', page):
        assert f'id="{address}"' in text


def test_figures_are_valid_and_every_axis_has_a_unit(text):
    shown = figures(text)
    assert list(shown) == ["residual-maps", "residual-trends", "neighbourhood", "leverage"]
    for name, figure in shown.items():
        go.Figure(figure)
        assert figure["data"], name
        titles = [
            axis["title"]["text"]
            for key, axis in figure["layout"].items()
            if re.fullmatch(r"[xy]axis\d*", key) and axis["title"]["text"]
        ]
        assert len(titles) >= 2
        for title in titles:
            assert re.search(r"\(.+\)|÷|correlation|end of the grid", title), (name, title)
    bar = shown["residual-maps"]["layout"]["coloraxis"]["colorbar"]["title"]["text"]
    assert "%" in bar


def test_tables_hold_the_numbers(text, found):
    for tile in found.tiles.values():
        for test in tile.terms:
            if test.p_value is not None:
                assert f'data-value="{test.gain}"' in text
                assert f'data-value="{test.p_holm}"' in text
        assert f'data-value="{tile.effective_size}"' in text


def test_findings_are_sentences_about_every_tile(text, found):
    sentences = diagnostics_findings(found)
    for label in found.tiles:
        assert sum(label in sentence or "all tiles" in sentence for sentence in sentences) >= 3
    topics = [sentence.partition(":")[0] for sentence in sentences]
    assert len(set(topics)) == len(topics)
    assert all(sentence.endswith(".") for sentence in sentences)
    assert text.count("<li>") >= len(sentences)


def test_hostile_text_stays_text(text, grid):
    assert grid.device.name not in text
    assert "&lt;script&gt;alert" in text
    assert len(re.findall(r"<script[ >]", re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))) == 4


def test_samples_off_a_grid_have_a_page(samples):
    found = diagnose(samples.cube, samples.fit, draws=99)
    text = render_diagnostics(samples.cube, samples.fit, found)
    for figure in figures(text).values():
        go.Figure(figure)
    assert "Noise and lack of fit cannot be told apart" in text


def test_the_report_points_to_the_page(grid):
    text = render_report(grid, (("Diagnostics of the fit", "diagnostics.html"),))
    assert '<a href="diagnostics.html">Diagnostics of the fit</a>' in text
    assert "diagnostics.html" not in render_report(grid)


def test_findings_of_what_is_rare(found):
    label, tile = next(iter(found.tiles.items()))
    rare = replace(tile, own=1.0, uses_overlap=True, note="")
    sentences = " ".join(diagnostics_findings(replace(found, tiles={label: rare})))
    assert "Neighbouring residuals are independent" in sentences
    few = replace(tile, note="not testable: few", terms=(), interactions=(), overlap=None)
    assert "not testable: few." in " ".join(diagnostics_findings(replace(found, tiles={label: few})))


def test_what_could_change_the_model_comes_first(found):
    _, tile = next(iter(found.tiles.items()))
    outside = [
        replace(test, in_model=False, p_holm=0.001, gain=gain)
        for test, gain in zip(tile.terms[:2], (0.02, 0.3), strict=True)
    ]
    idle = [replace(tile.terms[0], in_model=True, p_holm=0.5)]
    weak, strong = (replace(tile, terms=(test, *idle)) for test in outside)
    first, *others = diagnostics_findings(replace(found, tiles={"weak": weak, "strong": strong}))
    assert first.startswith("Not in the model, but would improve held-out blocks beyond chance: strong: ")
    assert first.index("strong") < first.index("weak")
    assert any("not needed beyond chance on held-out blocks: all tiles: " in sentence for sentence in others)


def test_a_mechanism_of_one_size_is_named_with_it(found):
    label, tile = next(iter(found.tiles.items()))
    note = f"not testable: {ONE_SIZE}, K = 64: anything else that is special there may be it"
    fill = replace(tile.terms[0], name="pipeline fill", in_model=True, p_value=None, p_holm=None, note=note)
    told = " ".join(diagnostics_findings(replace(found, tiles={label: replace(tile, terms=(fill,))})))
    assert "told by one size alone, where anything else that is special may be it: " in told
    assert "pipeline fill (K = 64)" in told
    other = replace(fill, in_model=False)
    assert "one size" not in " ".join(
        diagnostics_findings(replace(found, tiles={label: replace(tile, terms=(other,))}))
    )


def test_a_failing_write_keeps_the_old_page(grid, found, tmp_path, monkeypatch):
    path = tmp_path / "diagnostics.html"
    path.write_text("old")
    monkeypatch.setattr("attrib.report.diagnostics_page.diagnostics_findings", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_diagnostics(grid.cube, grid.fit, found, path)
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (1e-6, "< 10⁻⁶"), (4.2e-5, "4 × 10⁻⁵"), (0.0123, "0.012"), (0.5, "0.50")]
)
def test_p_values_are_read_aloud(value, shown):
    assert p_text(value) == shown
