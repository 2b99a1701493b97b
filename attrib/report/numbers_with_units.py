"""Numbers as an engineer writes them: three digits, a scaled unit, a true minus sign."""

from __future__ import annotations

import math

DASH = "–"
"""Stands where there is no value."""

_PREFIXES = {
    0: "",
    -3: "m",
    -6: "µ",
    -9: "n",
    -12: "p",
    -15: "f",
    -18: "a",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
    15: "P",
}


_SMALL = 5e-4
"""Smallest number that is not shown as zero."""


def plain(value: float | None, digits: int = 1) -> str:
    """Fixed number of decimals, two significant digits where it is small; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return DASH
    if _SMALL <= abs(value) < 10.0 ** (1 - digits):
        return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"
    return _fixed(value, digits)


def _fixed(value: float, digits: int) -> str:
    """Fixed number of decimals, and no sign before a zero."""
    text = f"{value:,.{digits}f}"
    return text if float(text.replace(",", "")) else text.replace("-", "").replace("+", "")


def number(value: float | None, digits: int = 1) -> str:
    """Like :func:`plain`, with a typographic minus."""
    return plain(value, digits).replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """Like :func:`number`, with a plus sign where positive."""
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and any(c in text for c in "123456789") else text


def count(value: float) -> str:
    """Whole number with separators."""
    return f"{value:,.0f}"


def tflops(value: float | None) -> str:
    """Throughput."""
    return f"{number(value)} TFLOP/s"


def percent(fraction: float | None, digits: int | None = None) -> str:
    """Fraction as per cent; below 10 % with one decimal, unless told otherwise."""
    if fraction is None or not math.isfinite(fraction):
        return DASH
    if digits is None:
        digits = 1 if abs(fraction) < 0.0995 else 0
    return f"{_fixed(100.0 * fraction, digits).replace('-', '−')} %"


def exponent(value: float) -> int:
    """Power of 1000 (as a power of ten) that brings ``value`` between 1 and 1000."""
    if value == 0 or not math.isfinite(value):
        return 0
    power = 3 * math.floor(math.log10(abs(value)) / 3)
    # Three digits may round up to the next prefix: 999.7 ns is 1.00 us.
    if float(f"{abs(value) / 10.0**power:.3g}") >= 1000:
        power += 3
    return max(-18, min(15, power))


def significant(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{abs(value):.{digits}g}")
    decimals = max(0, digits - 1 - math.floor(math.log10(rounded)))
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−")


def scaled(value: float, unit: str, power: int | None = None) -> str:
    """Value with an SI prefix: ``scaled(7.4e-7, "s/wave")`` is ``"740 ns/wave"``."""
    if value == 0 and power is None:
        return f"0 {unit}"
    power = exponent(value) if power is None else power
    return f"{significant(value / 10.0**power)} {_PREFIXES[power]}{unit}"


def interval(lower: float | None, upper: float | None, power: int) -> str:
    """Interval in the unit of an estimate that was scaled by ``10**power``."""
    if lower is None or upper is None:
        return DASH
    return f"{significant(lower / 10.0**power)} to {significant(upper / 10.0**power)}"


def mebibytes(size: float) -> str:
    """Size of a cache."""
    return f"{significant(size / 2**20)} MiB"
