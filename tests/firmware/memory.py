"""Reports N times from a board with little memory: memory.py N.

Prints how much is free after a tenth of the reports and after all of them.
"""

import gc
import sys

import esp8266  # noqa: F401 # before what asks for the platform
from chips import MCP9808
import world


class Enough(BaseException):
    """The end of the run."""


count = 0
last = int(sys.argv[1])


def temperature():
    """Return another one each time, and look at the memory now and then."""
    global count  # noqa: PLW0603
    if count in (last // 10, last):
        gc.collect()
        print("free", gc.mem_free())
    if count == last:
        raise Enough
    count += 1
    return count % 1000 / 16


world.i2c[5, 4] = {24: MCP9808(temperature)}
gc.collect()
try:
    import main  # noqa: F401
except Enough:
    print("open", world.open_sockets)
