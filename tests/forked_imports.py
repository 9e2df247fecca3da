"""Imported by the process that commands are forked from; see `tests.forked`."""

from tests.forked import import_all

import_all()
