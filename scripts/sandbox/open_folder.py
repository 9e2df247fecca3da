"""Folders that every user of a container may write, and that the sandbox may read and remove afterwards.

An image's user is not the sandbox's, and may be root. What stands in for a bucket lets everybody in who has
reached it: a default access control list gives what is made below a folder its permissions, whatever the
umask of whoever makes it, and is handed on to every folder made in it.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
from pathlib import Path

log = logging.getLogger(__name__)

_NAME = "system.posix_acl_default"
_VERSION, _ALL, _UNNAMED = 2, 7, 0xFFFFFFFF
_OWNER, _GROUP, _OTHERS = 0x01, 0x04, 0x20  # linux/posix_acl_xattr.h
_EVERYBODY = struct.pack("<I", _VERSION) + b"".join(
    struct.pack("<HHI", tag, _ALL, _UNNAMED) for tag in (_OWNER, _GROUP, _OTHERS)
)


def open_to_all(folder: Path) -> None:
    """Open a folder, the folders in it, and whatever will be made in them.

    Where the file system has no such lists, what one image's user made, another's cannot change.
    """
    if _is_open(folder):
        return
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            Path(path).chmod(0o777)
            if sys.platform == "linux":
                os.setxattr(path, _NAME, _EVERYBODY)
        except OSError as error:
            log.warning("cannot open %s to the users of images: %s", path, error)


def _is_open(folder: Path) -> bool:
    try:
        return sys.platform == "linux" and os.getxattr(folder, _NAME) == _EVERYBODY
    except OSError:
        return False
