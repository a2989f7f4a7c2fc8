"""The temperature around a simulated station, today and in the past of the demo."""

from math import cos, pi, sin

DAY = 86400  # seconds
COLDEST = 5 / 24  # when in the day, in UTC
SPELL = 9  # days from one warm spell to the next


def temperature(mean, swing, time):
    """Return the temperature at a time in seconds since 1970, without a sensor's noise.

    `swing` is how far a day goes from its mean; a warm spell adds half of that.
    """
    day = time / DAY
    return mean + swing * (
        sin(2 * pi * day / SPELL) / 2 - cos(2 * pi * (day - COLDEST))
    )
