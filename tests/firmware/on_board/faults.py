"""Each call of the port fails in turn: the station always recovers."""

import errno

from helpers import Alarm, Warming, bodies, config, control, run
import world

MINUTE = 60_000

# What a port could raise, and MicroPython itself
ERRORS = (
    OSError(errno.EIO),
    OSError("Wifi Internal Error"),
    MemoryError("memory allocation failed"),
    ValueError("invalid argument"),
    RuntimeError("Wifi Not Started"),
)
# These stand for the end of a start, which nothing can be done about, and for a sensor.
NOT_TRIED = ("reset", "deepsleep", "I2C")


def _live(minutes):
    """Let the station live through resets and sleeps for some time."""
    import time

    last = Alarm(minutes * MINUTE)
    starts = 0
    while True:
        end = run(100 * MINUTE)
        if end is None and last.is_over:
            break
        starts += 1
        if isinstance(end, world.DeepSleep):
            rest = end.args[0]
            if not last.is_over:
                try:
                    time.sleep_ms(rest)
                except BaseException:  # noqa: BLE001 # the alarm, or the watchdog
                    break
        elif last.is_over:
            break
    # What was to end an unfinished run must not end the next one.
    world.timers.clear()
    return starts


def _calls(**changes):
    """Return the names of all calls that a station makes."""
    Warming()
    config(signed=True, **changes)
    world.calls.clear()
    _live(3)
    return [name for name in sorted(world.calls) if name not in NOT_TRIED]


def _fails(name, error, times):
    """Let the next calls of a function fail."""
    left = [times]

    def fail():
        if left[0]:
            left[0] -= 1
            raise error

    world.faults[name] = fail


def _try_all(times, minutes, errors, **changes):
    names = _calls(**changes)
    assert len(names) > 20, names
    for name in names:
        for error in errors:
            world.rtc_memory = bytearray()
            world.reset_cause = 0
            _live(2)
            _fails(name, error, times)
            starts = _live(minutes)
            world.faults.clear()
            control("REQUESTS")
            _live(70 if times > 1 else 7)
            assert starts < 12, (name, error, starts)
            assert bodies(), (name, error)
            assert not control("MISTAKEN"), (name, error)


def test_each_call_fails_once():
    """It reports again within minutes after any call has failed once."""
    _try_all(1, 5, ERRORS)


def test_each_call_fails_for_long():
    """The pauses between its starts grow, and it reports again after the fault."""
    _try_all(1_000_000, 30, ERRORS[2:3], interval=600)


def test_each_call_fails_once_in_deep_sleep():
    _try_all(1, 4, ERRORS[1:3], deep_sleep=True)
