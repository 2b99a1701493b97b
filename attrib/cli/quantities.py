"""Numbers as an engineer reads them aloud: three digits and a scaled unit, in plain ASCII for any terminal."""

from __future__ import annotations

import math

_PREFIXES = {0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f", -18: "a"}
_SMALL = 5e-4
"""Smallest number that is not shown as zero."""
_RATES = {"s/byte": (1e-9, "GB/s"), "s/FLOP": (1e-12, "TFLOP/s")}


def power_of(seconds: float) -> int:
    """Power of ten, from 0 down to -18 in threes, that brings seconds between 1 and 1000."""
    if seconds == 0 or not math.isfinite(seconds):
        return 0
    power = 3 * math.floor(math.log10(abs(seconds)) / 3)
    if float(f"{abs(seconds) / 10.0**power:.3g}") >= 1000:  # 999.7 ns is 1.00 us
        power += 3
    return max(-18, min(0, power))


def digits(value: float, count: int = 3) -> str:
    """So many significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    exponent = int(f"{value:.{count - 1}e}".partition("e")[2])  # of the rounded value: 9.997 is 10.0
    return f"{value:,.{max(0, count - 1 - exponent)}f}"


def seconds(value: float, unit: str = "s") -> str:
    """Scale a cost, ``seconds(7.4e-7, "s/wave")`` is ``"740 ns/wave"``."""
    if not math.isfinite(value):
        return "-"
    power = power_of(value)
    return f"{digits(value / 10.0**power)} {_PREFIXES[power]}{unit}" if value else f"0 {unit}"


def cost(value: float, unit: str) -> str:
    """Scale a cost, and where it is one per byte or FLOP name the rate that it means."""
    text = seconds(value, unit)
    if unit in _RATES and value > 0:
        scale, rate = _RATES[unit]
        text += f" ({digits(scale / value)} {rate})"
    return text


def interval(lower: float | None, upper: float | None, estimate: float) -> str:
    """Scale an interval as its estimate is, or, where that is zero, as its upper end."""
    if lower is None or upper is None:
        return "-"
    scale = 10.0 ** power_of(estimate or upper)
    text = f"{digits(lower / scale)} to {digits(upper / scale)}"
    return text if estimate or not upper else f"{text} {_PREFIXES[power_of(upper)]}s"


def percent(fraction: float | None, decimals: int = 1) -> str:
    """Fraction as per cent."""
    return "-" if fraction is None or not math.isfinite(fraction) else f"{100.0 * fraction:.{decimals}f} %"


def number(value: float | None, decimals: int = 1) -> str:
    """Fixed number of decimals; a dash where there is no value, and no minus before a zero.

    A small value shows two significant digits: the throughput of a laptop's core is not 0.0.
    """
    if value is None or not math.isfinite(value):
        return "-"
    if _SMALL <= abs(value) < 10.0 ** (1 - decimals):
        return digits(value, 2)
    text = f"{value:,.{decimals}f}"
    return text if any(digit in text for digit in "123456789") else text.lstrip("-")


def shape(sizes: tuple[int, ...]) -> str:
    """Sizes, as ``"1000x512x4096"``."""
    return "x".join(map(str, sizes))
