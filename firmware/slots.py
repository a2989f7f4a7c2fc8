"""Which folder the firmware is started from. Like main.py, never updated itself.

The file `slot` has the name of a folder: a, b, or . for this one. Behind it may be how
many starts are left for a new version to deliver a report, and the folder to go back to
then; or - and why an update came to nothing.
"""

import os

_FILE = "slot"
_NEW = "slot.new"
# The first start only checks the settings.
TRIES = 4


def read() -> list[str]:
    """Return the words of the file."""
    for name in (_FILE, _NEW):  # FAT may have lost the one in favor of the other.
        try:
            with open(name) as file:
                text = file.read()
        except (OSError, ValueError):
            continue
        if text[-1:] == "\n":
            words: list[str] = text.split()
            return words
    return ["."]


def write(*words: str) -> None:
    """Write the file atomically: a power cut leaves the old or the new one.

    Raises OSError if the flash is full.
    """
    with open(_NEW, "w") as file:
        file.write(" ".join(words) + "\n")
    try:
        os.rename(_NEW, _FILE)
    except OSError:  # FAT does not replace a file.
        os.remove(_FILE)
        os.rename(_NEW, _FILE)


def choose() -> str:
    """Return the folder to start from, and count the starts of a new version."""
    slot, *trial = read()
    if len(trial) == 2 and trial[0].isdigit():
        left = int(trial[0])
        if left:
            words = [slot, str(left - 1), trial[1]]
        else:
            slot = trial[1]
            words = [slot, "-", "no_report"]
            print("The new firmware has delivered no report: the old one is back")
        try:
            write(*words)
        except OSError as err:  # The station starts all the same.
            print(_FILE, err)
    return slot


def is_on_trial() -> bool:
    """Return whether a new version has delivered no report yet."""
    return (read() + [""])[1].isdigit()
