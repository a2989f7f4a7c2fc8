"""Finds Home Assistant in the network: one multicast question (RFC 6762, section 6.7).

The question comes from a port of its own, so that the answers come to that port alone.
"""

import socket
from struct import pack, unpack_from
import time

from micropython import const

_GROUP = "224.0.0.251"
_PORT = const(5353)
_SERVICE = b"_home-assistant._tcp.local"
_QUESTION = b"\x0f_home-assistant\x04_tcp\x05local\x00\x00\x0c\x80\x01"
_ATTEMPTS = const(3)
_ATTEMPT_MS = const(1_000)
_LONGEST = const(1_472)  # bytes of a packet
_MOST_POINTERS = const(32)  # of a name
_MOST_SERVERS = const(32)

_A = const(1)
_TXT = const(16)
_SRV = const(33)


def servers():  # type: ignore[no-untyped-def]
    """Yield host, port and whether it is https, of each that answers, once."""
    known: list = []
    stream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        group = socket.getaddrinfo(_GROUP, _PORT)[0][-1]
        stream.settimeout(_ATTEMPT_MS / 4000)
        for _ in range(_ATTEMPTS):
            stream.sendto(pack(">6H", 0, 0, 1, 0, 0, 0) + _QUESTION, group)
            end = time.ticks_add(time.ticks_ms(), _ATTEMPT_MS)
            while time.ticks_diff(end, time.ticks_ms()) > 0:
                try:
                    found = parse(stream.recvfrom(_LONGEST)[0])
                except (OSError, ValueError, IndexError):
                    continue  # nothing yet, or no answer to this question
                for server in found:
                    if server not in known and len(known) < _MOST_SERVERS:
                        known.append(server)
                        yield server
    finally:
        stream.close()


def parse(data: bytes) -> list[tuple[str, int, bool]]:
    """Return the servers in an answer.

    Raises ValueError or IndexError if it is damaged.
    """
    _, flags, questions, answers, others, more = unpack_from(">6H", data)
    if not flags & 0x8000:
        return []
    place = 12
    for _ in range(questions):
        place = _end_of_name(data, place) + 4
    services = []
    addresses = []
    tls = []  # names of the services that are https
    for _ in range(answers + others + more):
        start = place
        place = _end_of_name(data, place)
        kind, _, _, length = unpack_from(">HHIH", data, place)
        place += 10
        if place + length > len(data):
            raise ValueError("it ends early")
        name = _name(data, start)
        if kind == _SRV and name.endswith(_SERVICE):
            port = data[place + 4] << 8 | data[place + 5]
            services.append((name, _name(data, place + 6), port))
        elif kind == _TXT and b"internal_url=https:" in data[place : place + length]:
            tls.append(name)
        elif kind == _A and length == 4:
            address = "%d.%d.%d.%d" % tuple(data[place : place + 4])
            addresses.append((name, address))
        place += length
    return [
        (address, port, name in tls)
        for name, host, port in services
        for owner, address in addresses
        if owner == host and port
    ]


def _end_of_name(data: bytes, place: int) -> int:
    while data[place]:
        if data[place] >= 0xC0:
            return place + 2
        place += 1 + data[place]
    return place + 1


def _name(data: bytes, place: int) -> bytes:
    """Return a name in full. Raises ValueError if its pointers do not end."""
    parts = []
    for _ in range(_MOST_POINTERS):
        size = data[place]
        if size >= 0xC0:
            place = (size & 0x3F) << 8 | data[place + 1]
        elif size:
            parts.append(bytes(data[place + 1 : place + 1 + size]).lower())
            place += 1 + size
        else:
            return b".".join(parts)
    raise ValueError("a name without end")
