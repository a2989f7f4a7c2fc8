"""HTTPS. The certificate is not verified on any port."""

import socket
import ssl


def encrypt(plain: socket.socket, host: str):  # type: ignore[no-untyped-def]
    """Return an encrypted stream over a socket."""
    if host.replace(".", "").isdigit():
        return ssl.wrap_socket(plain)
    # A proxy selects the certificate by the name.
    return ssl.wrap_socket(plain, server_hostname=host)
