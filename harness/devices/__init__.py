"""Device records as data: one TOML file a device, every number with its source beside it.

A number is a table with ``value`` and ``source``; an optional ``note`` says why this value is used, and each
of its ``alternatives`` (``label``, ``value``, ``source``, ``note``) is a value that another source states. A
number that is absent, or has alternatives but no ``value``, is open. :mod:`harness.device` reads the files.
"""
