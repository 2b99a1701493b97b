"""The README quotes what its script printed, and its example runs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_the_one_the_script_printed():
    quoted = (ROOT / "docs" / "quoted_numbers.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"(?:^\|.*\n)+", README, re.MULTILINE)
    assert table in quoted


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("132 cores")
