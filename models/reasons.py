"""Why a column or a term has no estimate: the wordings that other code tells apart."""

from __future__ import annotations

ZERO = "zero on this grid"
"""Nothing was measured that this costs: shapes that it does cost are extrapolated."""

COMBINATION = "a combination of other columns on this grid"
"""It was measured, but never apart from others."""

ONE_SIZE = "told by one size alone"
"""It was measured apart, but only where anything else that is special to that size may be it."""

NO_GAIN = "does not lower the held-out error"
"""It was measured, and the model predicts as well without it."""

NOT_IDENTIFIABLE = "not identifiable on this grid"
"""How the status of a constant begins that the timings do not tell; the reason follows."""
