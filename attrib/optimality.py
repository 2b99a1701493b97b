"""Kernel Optimality Levels: how close a landscape comes to the optimal one, in mean and in smoothness."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.roughness import axis_roughness
from harness.errors import InputError

TAU_THRESHOLDS = (0.50, 0.75, 0.95)
RHO_THRESHOLDS = (3.0, 2.0, 1.25)
TAU_BANDS = ("T0 peak-tuned", "T1 partial", "T2 near optimal", "T3 optimal")
RHO_BANDS = ("S0 rugged", "S1 textured", "S2 near floor", "S3 at floor")


def tau_band(tau: float) -> int:
    """Throughput band T of `tau`, 0 to 3: reaching 0.50, 0.75 or 0.95 earns the next band (paper, Table 19).

    The paper says who owns 0.50 and 0.95 and leaves 0.75 open; the better band owns all three.
    """
    return sum(tau >= threshold for threshold in TAU_THRESHOLDS)


def rho_band(rho: float) -> int:
    """Smoothness band S of `rho`, 0 to 3: coming down to 3, 2 or 1.25 earns the next band (paper, Table 19).

    The paper gives 1.25 to S3 and "above 3" to S0, and leaves 2 open; the better band owns all three.
    """
    return sum(rho <= threshold for threshold in RHO_THRESHOLDS)


@dataclass(frozen=True)
class KernelOptimality:
    """Grade of a landscape against the optimal one (paper, section 10).

    Attributes
    ----------
    tau : float
        Mean throughput over that of the optimal landscape.
    rho : float or None
        Roughness along N over that of the optimal landscape; ``None`` where it is not defined: N has no
        steps, or the optimal landscape is flat along N.
    eta_peak : float
        Largest throughput over the device's peak.
    """

    tau: float
    rho: float | None
    eta_peak: float

    @property
    def throughput_band(self) -> int:
        """Band T of tau, 0 to 3."""
        return tau_band(self.tau)

    @property
    def smoothness_band(self) -> int | None:
        """Band S of rho, 0 to 3; ``None`` without rho."""
        return None if self.rho is None else rho_band(self.rho)

    @property
    def level(self) -> str | None:
        """Kernel Optimality Level ``"L0"`` to ``"L3"``, the lesser of the bands; ``None`` without rho."""
        smoothness = self.smoothness_band
        return None if smoothness is None else f"L{min(self.throughput_band, smoothness)}"

    def to_dict(self) -> dict[str, float | str | None]:
        """Return tau, rho, eta_peak and level by name, ready for JSON."""
        return {**asdict(self), "level": self.level}

    def __str__(self) -> str:
        smoothness = self.smoothness_band
        band = "no S band" if smoothness is None else RHO_BANDS[smoothness]
        rho = "undefined" if self.rho is None else f"{self.rho:.2f}"
        return (
            f"{self.level or 'no level'}: tau {self.tau:.3f} ({TAU_BANDS[self.throughput_band]}), "
            f"rho {rho} ({band}), peak {self.eta_peak:.1%}"
        )


def kernel_optimality(
    achieved: NDArray[np.float64], optimal: NDArray[np.float64], *, peak_flops_per_s: float
) -> KernelOptimality:
    """Grade a landscape: tau = mean A / mean O, rho = R(A) / R(O) along N, eta = max A / P (section 10).

    The paper defines the grade on the whole cube and computes it on the slice at the largest K: pass the
    domain that is meant, ``achieved[..., -1:]`` for the slice.

    Parameters
    ----------
    achieved, optimal : numpy.ndarray of float64, shape (M, N, K)
        TFLOP/s; cells that are NaN in either are left out of both.
    peak_flops_per_s : float
        Theoretical peak P of the device, in FLOP/s.

    Returns
    -------
    KernelOptimality

    Raises
    ------
    InputError
        If the shapes differ, the peak is not positive, or no cell is available in both.
    """
    if achieved.ndim != 3 or achieved.shape != optimal.shape:
        raise InputError(
            f"expected two landscapes of one shape (M, N, K), got {achieved.shape} and {optimal.shape}"
        )
    if not peak_flops_per_s > 0:
        raise InputError(f"the peak must be positive, got {peak_flops_per_s} FLOP/s")
    missing = np.isnan(achieved) | np.isnan(optimal)
    if np.all(missing):
        raise InputError("no shape has both an achieved and an optimal throughput")
    own = np.where(missing, np.nan, achieved)
    bound = np.where(missing, np.nan, optimal)
    rough, floor = float(axis_roughness(own, "N")), float(axis_roughness(bound, "N"))
    return KernelOptimality(
        tau=float(np.nanmean(own) / np.nanmean(bound)),
        rho=rough / floor if floor > 0 else None,
        eta_peak=float(np.nanmax(own) * 1e12 / peak_flops_per_s),
    )
