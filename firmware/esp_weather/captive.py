"""Leads phones to the page of the portal: each name in its network is the board."""

_A = b"\x00\x01\x00\x01"
_TTL = b"\x00\x00\x00\x01"  # s: the phone is to forget it when it is elsewhere


def dns_answer(query: bytes, address: bytes) -> bytes | None:
    """Return the answer to a DNS query, None if the packet is not a query.

    Each name has this IPv4 `address` (4 bytes), and no record of another type.
    """
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\x00\x01":
        return None
    end = 12
    while end < len(query) and query[end]:
        if query[end] > 63:
            return None
        end += 1 + query[end]
    question = query[12 : end + 5]
    if len(question) < end - 12 + 5:
        return None
    head = query[:2] + b"\x85\x80\x00\x01\x00"
    if question[-4:] != _A:
        return head + b"\x00\x00\x00\x00\x00" + question
    record = b"\xc0\x0c" + _A + _TTL + b"\x00\x04" + address
    return head + b"\x01\x00\x00\x00\x00" + question + record


def is_for_page(path: str, host: str, addresses: list) -> bool:
    """Return whether a request is for the page; all others are redirected to it.

    Phones ask a server of their own, under its name, whether they are online.
    """
    return path.partition("?")[0] == "/" and host.partition(":")[0] in addresses
