"""Records the last request of the board in the file `report`."""

import socket


class Recorded(socket.socket):
    """A socket that records what is sent."""

    def __init__(self, *kind):
        """Open a socket."""
        super().__init__(*kind)
        self._is_new = True

    def send(self, data):
        """Send some of the bytes and return how many."""
        count = super().send(data)
        mode, self._is_new = "wb" if self._is_new else "ab", False
        with open("report", mode) as file:
            file.write(data[:count])
        return count
