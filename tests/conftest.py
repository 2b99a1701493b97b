"""Settings that all tests share."""

from hypothesis import settings

# A loaded machine is no defect of the code under test.
settings.register_profile("attrib", deadline=None)
settings.load_profile("attrib")
