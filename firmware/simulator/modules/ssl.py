"""The module `ssl`, which Debian's MicroPython lacks: its `tls` is there."""

import tls


class _Stream:
    def __init__(self, below, stream):
        self._below = below
        self._stream = stream
        self.write = stream.write
        self.read = stream.read

    def close(self):
        self._stream.close()
        self._below.close()


def wrap_socket(below):
    """Return an encrypted stream over a socket. No certificate is checked."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    return _Stream(below, context.wrap_socket(below.plain))
