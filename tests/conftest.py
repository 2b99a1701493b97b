"""Settings that all tests share."""

import numpy as np
from hypothesis import settings
from threadpoolctl import threadpool_limits

# A loaded machine is no defect of the code under test.
settings.register_profile("attrib", deadline=None)
settings.load_profile("attrib")

# Linear algebra stays on one thread, as in the command line: workers side by side would wait for each other.
np.ones((2, 2)) @ np.ones((2, 2))  # loads the library whose threads are limited
threadpool_limits(1)
