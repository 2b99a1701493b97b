"""Every example runs without a warning, draws its pictures and prints the answer that it promises."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image as mpimg
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = Path(__file__).parents[2] / "docs"


def run(script, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error", script, folder], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def assert_drawn(path):
    """A picture of a decent size that is not blank, nor one colour all over."""
    assert path.is_file()
    assert path.stat().st_size > 15_000
    picture = mpimg.imread(path)[..., :3]
    assert min(picture.shape[:2]) >= 400
    shades, count = np.unique((picture.reshape(-1, 3) * 15).astype(int), axis=0, return_counts=True)
    assert len(shades) >= 10
    assert count.max() < 0.98 * count.sum()


def number(pattern, text):
    found = re.search(pattern, text)
    assert found is not None, f"{pattern!r} is not in:\n{text}"
    return float(found[1])


def test_the_cores_are_counted(tmp_path):
    said = run(EXAMPLES / "count_my_gpus_cores.py", tmp_path)
    assert number(r"imply (\d+) cores", said) == 132
    assert number(r"tile 128x128x64 +holds (\d) work-groups", said) == 1
    assert_drawn(tmp_path / "core_count.png")


def test_the_stages_gain_speed_and_their_shares_are_told(tmp_path):
    said = run(EXAMPLES / "which_stage_removes_how_much.py", tmp_path)
    fixed = number(r"\nfixed 256x128x64 +(\d+\.\d)", said)
    best = number(r"\nbest tile +(\d+\.\d)", said)
    full = number(r"\nbest tile \+ pad \+ split +(\d+\.\d)", said)
    assert 250 < fixed < best < full < 500
    assert number(r"full stack is (\d+) % faster", said) == pytest.approx(100 * (full / fixed - 1), abs=0.6)
    whole, share, rest = (
        number(rf"fixed 256x128x64: of {pattern}", said)
        for pattern in (
            r"(\d+\.\d) TFLOP/s",
            r"\S+ TFLOP/s per step, (\d+\.\d) is wave quantization",
            r".* and (-?\d+\.\d) is unexplained",
        )
    )
    assert 0.4 * whole < share < 0.9 * whole
    assert abs(rest) < 0.1 * whole
    assert_drawn(tmp_path / "stage_ladder.png")
    assert_drawn(tmp_path / "stage_attribution.png")


def test_a_table_of_ones_own_is_fitted_and_unseen_shapes_are_predicted(tmp_path):
    said = run(EXAMPLES / "bring_your_own_csv.py", tmp_path)
    lines = (tmp_path / "timings.csv").read_text().splitlines()
    assert lines[0] == "M,N,K,tile,repeat,time_s"
    assert number(r"(\d+) rows", said) == len(lines) - 1
    assert number(r"128x128x64 runs on (\d+) cores", said) == 132
    assert number(r"128x128x64: \d+ unseen shapes .* median error of (\d+\.\d) %", said) < 6
    assert number(r"128x128x64: \d+ unseen .*; (\d+) % lie", said) >= 80
    assert_drawn(tmp_path / "predicted.png")


def test_the_row_pitch_costs_what_the_line_shows(tmp_path):
    said = run(EXAMPLES / "how_pitch_costs.py", tmp_path)
    half, off = (number(rf"\({rows}\) costs (\d+) %", said) for rows in ("N mod 64 = 32", "N mod 64 = 16 or 48"))
    assert 8 <= half <= off <= 25
    assert number(r"B off 64 B adds (\d+) ns", said) > 5
    assert_drawn(tmp_path / "row_pitch.png")


def test_a_transformer_layer_is_predicted(tmp_path):
    said = run(EXAMPLES / "predict_a_transformer.py", tmp_path)
    assert "extrapolated" not in said
    few, many = (number(rf"\n{tokens} tokens: \d+ us a layer, (\d+) TFLOP/s", said) for tokens in (16, 4096))
    assert few < 100 < 450 < many < 990
    assert number(r"4096 x 5632 x 2048: +\S+ us .* with tile (\d+)x", said) >= 128
    assert_drawn(tmp_path / "transformer.png")


def test_the_picture_of_the_readme_is_drawn(tmp_path):
    target = tmp_path / "picture.png"
    assert run(DOCS / "picture.py", target) == ""
    assert_drawn(target)
    assert target.stat().st_size < 250_000
