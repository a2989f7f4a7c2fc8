"""The module `ssl`, which Debian's MicroPython lacks: its `tls` is there."""

from socket import Patient

import tls
import world


class _Stream:
    def __init__(self, below, stream):
        self._below = below
        self._stream = stream
        self.write = stream.write
        self.setblocking = below.setblocking
        patient = Patient(stream)
        self.read = patient.read
        self.readline = patient.readline

    def close(self):
        self._stream.close()
        self._below.close()


def wrap_socket(below, *, server_hostname=None):
    """Return an encrypted stream over a socket. No certificate is checked."""
    world.enter("ssl.wrap_socket")
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    return _Stream(
        below, context.wrap_socket(below.plain, server_hostname=server_hostname)
    )
