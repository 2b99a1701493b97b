"""The command ``attrib``: one module a command, file in, file out.

Command modules import the libraries they need inside the command, so that ``attrib --help`` answers at once and
Ctrl-C is heard from the first moment on.
"""
