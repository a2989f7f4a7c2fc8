"""The module `os`, whose calls can fail."""

import uos
from uos import *  # noqa: F403
import world


def urandom(count):
    """Return random bytes."""
    world.enter("os.urandom")
    return uos.urandom(count)


def remove(path):
    """Remove a file."""
    world.enter("os.remove")
    uos.remove(path)


def rename(old, new):
    """Rename a file."""
    world.enter("os.rename")
    uos.rename(old, new)
