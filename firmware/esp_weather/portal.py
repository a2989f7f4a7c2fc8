"""The board's own network, with a page for the settings. It runs in a start of its own.

It opens when there are no settings, and when there has been no Wi-Fi for a long time.
What is entered counts only once the board has joined the Wi-Fi with it. Without an
address of Home Assistant, find.py looks for one in the next start.
"""

from binascii import hexlify
import gc
import select
import socket
import sys
import time

from machine import Timer, reset
from micropython import const
import network

from esp_weather import VERSION, captive, improv
from esp_weather.start import forget

_ADDRESS = "192.168.4.1"
_OPEN_MS = const(300_000)  # that it stays open after somebody has loaded the page
_HANGS_MS = const(900_000)  # after which the board is reset, whatever it does
_DONE_MS = const(10_000)  # in which the phone is told that it is done
_LOOK_MS = const(500)
_JOIN_MS = const(25_000)
_REQUEST_MS = const(5_000)  # for all of a request
_CLIENT_S = const(3)  # for each piece of an answer
_ANSWER_MS = const(10_000)  # for all of it
_PIECE_MS = const(10)
_SERVER_S = const(5)
_PORT = const(8123)  # where settings have none, as in config.py
_SETTLE_MS = const(2_000)
_BACKLOG = const(4)
_LONGEST_QUERY = const(512)
_LONGEST_LINE = const(512)
_LONGEST_BODY = const(1_024)
_HEADERS = ("host", "accept-language", "content-length", "origin")
_MOST_HEADERS = const(40)
_MOST_NETWORKS = const(16)

_WRONG_PASSWORD = const(128)  # a bit of `Memory.flags`, set by recovery.py
_WPA2 = const(3)


def run(due: int) -> bool:
    """Keep the portal open for 5 minutes after the page was loaded last.

    Returns whether there are new settings. `due` are the flags of this start.
    """
    portal = Portal(due)
    try:
        portal.open()
        return portal.serve()
    finally:
        portal.close()


class Portal:
    """The access point, its name server and its page."""

    def __init__(self, due: int) -> None:
        """Initialize; nothing is open yet."""
        # Not the Watchdog of a station: that would load all that a station needs.
        self._timer = Timer(0)
        self._station = network.WLAN(network.STA_IF)
        self._access_point = network.WLAN(network.AP_IF)
        if not _attempt(self._station.active):
            _attempt(self._station.active, True)
        mac = self._station.config("mac")
        self.name = "ESP-Weather-" + hexlify(mac[3:]).decode()
        from esp_weather import form  # noqa: PLC0415 # takes memory

        self._settings = form.known()
        self._keeps = form.keeps(self._settings)
        forget("form")
        self._changed: dict = {}  # the settings that are to be tried
        self._password: str = self._settings.get("portal") or ""
        self._fields: dict[str, str] = {}  # what was entered last
        self._addresses = [_ADDRESS]
        self._streams: list = []
        self._is_done = False
        self._scan()
        self._error = self._why(due)
        info = ("ESP Weather", VERSION, _chip(), self.name)
        self._improv = improv.Improv(info, self._networks_found, self._join_by_improv)

    def open(self) -> None:
        """Open the network. Raises OSError."""
        point = self._access_point
        point.active(True)
        if self._password:
            point.config(ssid=self.name, security=_WPA2, key=self._password)
        else:
            point.config(ssid=self.name, security=0)
        point.ifconfig((_ADDRESS, "255.255.255.0", _ADDRESS, _ADDRESS))
        self._dns = self._bound(socket.SOCK_DGRAM, 53)
        self._http = self._bound(socket.SOCK_STREAM, 80)
        self._http.listen(_BACKLOG)
        print("Portal: join the Wi-Fi", self.name, "and open http://" + _ADDRESS)
        print("Its password:", self._password or "none")

    def close(self) -> None:
        """Close the network and give the serial port back."""
        self._timer.deinit()
        self._improv.close()
        for stream in self._streams:
            stream.close()
        _attempt(self._access_point.active, False)

    def serve(self) -> bool:
        """Answer until it is time to close; return whether there are new settings."""
        poll = select.poll()
        poll.register(self._dns, select.POLLIN)
        poll.register(self._http, select.POLLIN)
        poll.register(sys.stdin, select.POLLIN)
        self._stay(_OPEN_MS)
        while time.ticks_diff(self._end, time.ticks_ms()) > 0:
            for ready, _ in poll.poll(_LOOK_MS):
                if ready is sys.stdin:
                    if not self._improv.read():
                        poll.unregister(sys.stdin)
                    continue
                gc.collect()
                try:
                    if ready is self._dns:
                        self._answer_dns()
                    elif self._answer_http():
                        self._try()
                except (OSError, ValueError) as err:
                    print("Portal:", err)
        return self._is_done

    def _bound(self, kind: int, port: int) -> socket.socket:
        stream = socket.socket(socket.AF_INET, kind)
        self._streams.append(stream)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
        return stream

    def _stay(self, ms: int) -> None:
        self._end: int = time.ticks_add(time.ticks_ms(), ms)  # type: ignore[assignment]
        self._timer.deinit()
        self._timer.init(
            mode=Timer.ONE_SHOT, period=_HANGS_MS, callback=lambda _: reset()
        )

    def _why(self, due: int) -> str:
        """Return why the current settings do not work."""
        wifi = self._settings.get("wifi")
        if not wifi:
            return ""
        if due & _WRONG_PASSWORD:
            return "wrong_password"
        if wifi.get("ssid") not in self._networks:
            return "no_network"
        if not (self._settings.get("server") or {}).get("host"):
            return "not_found"
        return "no_wifi"

    def _scan(self) -> None:
        """Look for networks, the strongest first."""
        self._networks: list = []
        for name, _, _ in self._networks_found():
            self._networks.append(name)

    def _networks_found(self) -> list:
        """Return name, strength and whether there is a password, of each network."""
        networks: list = []
        names: list[str] = []
        found = _attempt(self._station.scan) or []
        for each in sorted(found, key=lambda each: -each[3]):
            try:
                name = each[0].decode()
            except UnicodeError:
                continue
            if name and name not in names and len(names) < _MOST_NETWORKS:
                names.append(name)
                networks.append((name, each[3], each[4] != 0))
        return networks

    def _join_by_improv(self, ssid: str, password: str) -> str:
        """Join a network; return the address of the page there, "" if that fails.

        Where key and address are known, that is all; else the page asks for them.
        """
        self._stay(_OPEN_MS)
        self._error = self.join(ssid, password)
        if self._error:
            return ""
        self._settings["wifi"] = {"ssid": ssid, "password": password}
        address = self._station.ifconfig()[0]
        self._addresses.append(address)
        if self._settings.get("key"):
            self._finish(self._settings)
        return "http://%s/" % address

    def _answer_dns(self) -> None:
        query, sender = self._dns.recvfrom(_LONGEST_QUERY)
        address = bytes([int(part) for part in _ADDRESS.split(".")])
        answer = captive.dns_answer(query, address)
        if answer:
            self._dns.sendto(answer, sender)

    def _answer_http(self) -> bool:
        """Answer a request; return whether there is something to try."""
        stream = self._http.accept()[0]
        try:
            stream.setblocking(False)
            return self._answer(stream)
        finally:
            stream.close()

    def _answer(self, stream: socket.socket) -> bool:
        deadline: int = time.ticks_add(time.ticks_ms(), _REQUEST_MS)  # type: ignore[assignment]
        method, path = _line(stream, deadline).split(" ")[:2]
        headers = {}
        for _ in range(_MOST_HEADERS):
            name, separator, value = _line(stream, deadline).partition(":")
            if not separator:
                break
            if name.lower() in _HEADERS:
                headers[name.lower()] = value.strip()
        if not captive.is_for_page(path, headers.get("host", ""), self._addresses):
            _send(stream, "302 Found\r\nLocation: http://%s/" % _ADDRESS)
            return False
        shown = "done" if self._is_done else ""
        if not shown and method == "POST" and self._is_own(headers.get("origin", "")):
            length = int(headers.get("content-length", "0"))
            if length > _LONGEST_BODY:
                raise ValueError("a request that is too long")
            if self._take(_read(stream, length, deadline)):
                shown = "wait"
        elif path == "/?scan":
            self._scan()
        _send(stream, "200 OK")
        self._show(stream, headers.get("accept-language", ""), shown)
        return shown == "wait"

    def _take(self, body: bytes) -> bool:
        """Take what was entered; return whether it can be tried."""
        from esp_weather import form  # noqa: PLC0415 # takes memory

        try:
            self._fields = form.parse(body)
            self._changed = form.change(self._settings, self._fields)
        except form.FormError as err:
            self._error = str(err)
            return False
        finally:
            forget("form")
        return True

    def _show(self, stream: socket.socket, languages: str, text: str) -> None:
        """Send the page with one text, or with the form if that is ""."""
        from esp_weather import page  # noqa: PLC0415 # takes memory

        language = page.language_of(languages)
        if text:
            pieces = page.message(language, self.name, text)
        else:
            self._stay(_OPEN_MS)
            is_open = not self._password
            pieces = page.form(
                *(language, self.name, self._error, self._networks, is_open),
                self._known(),
            )
        deadline: int = time.ticks_add(time.ticks_ms(), _ANSWER_MS)  # type: ignore[assignment]
        try:
            for piece in pieces:
                if time.ticks_diff(deadline, time.ticks_ms()) <= 0:
                    raise OSError("a slow reader")
                stream.write(piece.encode())
        finally:
            forget("page")
            forget("texts_" + language)

    def _is_own(self, origin: str) -> bool:
        """Return whether a form was sent by this page, and not by another site."""
        host = origin.partition("://")[2].partition(":")[0]
        return not origin or host in self._addresses

    def _known(self) -> dict:
        """Return what the form is filled in with."""
        fields = self._fields
        wifi = self._settings.get("wifi") or {}
        return {
            "ssid": fields.get("ssid") or fields.get("other") or wifi.get("ssid", ""),
            "server": fields.get("server", ""),
            "keeps": self._keeps,
        }

    def _try(self) -> None:
        """Try what was entered; it is written if it works."""
        self._stay(_OPEN_MS)
        wifi = self._changed["wifi"]
        self._error = self.join(wifi["ssid"], wifi["password"])
        if not self._error:
            self._finish(self._changed)
        if self._error:
            print("Portal:", self._error)
            _attempt(self._station.disconnect)
            self._scan()

    def _finish(self, changed: dict) -> None:
        """Write the settings, unless nobody answers at the address that is in them."""
        server = changed.get("server") or {}
        if server.get("host") and not _is_there(server):
            self._error = "no_server"
            return
        from esp_weather import settings  # noqa: PLC0415 # takes memory

        try:
            settings.write(changed)
        except OSError as err:
            print("Portal:", err)
            self._error = "not_written"
            return
        self._is_done = True
        self._stay(_DONE_MS)

    def join(self, ssid: str, password: str) -> str:
        """Join a Wi-Fi; return a key of the texts if that fails."""
        print("Portal: joining", ssid)
        station = self._station
        _attempt(station.disconnect)
        _attempt(station.connect, ssid, password)
        end = time.ticks_add(time.ticks_ms(), _JOIN_MS)
        while time.ticks_diff(end, time.ticks_ms()) > 0:
            if _attempt(station.isconnected):
                return ""
            status = _attempt(station.status)
            # An ESP32 returns the status of before for a moment after connect().
            since = _JOIN_MS - time.ticks_diff(end, time.ticks_ms())
            if since > _SETTLE_MS:
                if status == network.STAT_WRONG_PASSWORD:
                    return "wrong_password"
                if status == network.STAT_NO_AP_FOUND:
                    return "no_network"
            time.sleep_ms(_LOOK_MS)
        return "no_wifi"


def _attempt(function, *arguments):  # type: ignore[no-untyped-def]
    """Call a function of the port; print the error and return None if it raises."""
    try:
        return function(*arguments)
    except Exception as err:  # noqa: BLE001 # What the ports raise is not the same.
        print("Portal:", err)
        return None


def _chip() -> str:
    """Return the chip's name as Improv wants it."""
    return "ESP8266" if sys.platform == "esp8266" else "ESP32"


def _is_there(server: dict) -> bool:
    """Return whether somebody answers at an address."""
    stream = None
    try:
        port = server.get("port") or _PORT
        address = socket.getaddrinfo(server["host"], port)[0][-1]
        stream = socket.socket()
        stream.settimeout(_SERVER_S)
        stream.connect(address)
    except (OSError, IndexError) as err:
        print("Portal:", server["host"], err)
        return False
    finally:
        if stream is not None:
            stream.close()
    return True


def _line(stream: socket.socket, deadline: int) -> str:
    """Return the next line of a request, or as much of it as may be one."""
    line = b""
    while line[-1:] != b"\n" and len(line) < _LONGEST_LINE:
        line += _some(stream.readline, _LONGEST_LINE - len(line), deadline)
    return line.decode().strip()


def _read(stream: socket.socket, length: int, deadline: int) -> bytes:
    """Return the body of a request."""
    body = b""
    while len(body) < length:
        body += _some(stream.read, length - len(body), deadline)
    return body


def _some(read, count: int, deadline: int) -> bytes:  # type: ignore[no-untyped-def]
    """Return what is there. Raises OSError if the request is slow or ends early."""
    while True:
        if time.ticks_diff(deadline, time.ticks_ms()) <= 0:
            raise OSError("a slow request")
        piece: bytes | None = read(count)
        if piece:
            return piece
        if piece is not None:
            raise OSError("a request that ends early")
        time.sleep_ms(_PIECE_MS)


def _send(stream: socket.socket, status: str) -> None:
    """Send the head of an answer of HTTP/1.0, which ends with the connection."""
    stream.settimeout(_CLIENT_S)
    head = "HTTP/1.0 %s\r\nContent-Type: text/html; charset=utf-8\r\n" % status
    stream.write((head + "Cache-Control: no-store\r\n\r\n").encode())
