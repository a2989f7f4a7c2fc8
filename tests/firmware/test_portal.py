"""The portal of a board, as a phone sees it: over HTTP and DNS."""

import asyncio
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
import socket
from typing import override

import aiodns
from pycares import ARecordData
import pytest

from tools.station import OUTDOOR

from .interpreter import (
    BOARD,
    FIRMWARE,
    INTERPRETER,
    INTERPRETER_32,
    SIMULATOR,
    build_firmware,
    compile_modules,
)
from .server import report_server
from .simulated import COMMAND, PORTAL, Board, simulated_board

pytestmark = [pytest.mark.usefixtures("socket_enabled"), pytest.mark.timeout(120)]

MEMORY = 31 * 1024  # bytes
DONE = "The board is in your Wi-Fi now."
OPEN = "This network has no password"
LANGUAGES = {
    "en": "Choose your Wi-Fi.",
    "de": "Wähle dein WLAN.",
    "es": "Elige tu wifi.",
    "fr": "Choisissez votre Wi-Fi.",
}


def _form(server: str = "", **changes: str) -> dict[str, str]:
    return {
        "ssid": "Home",
        "other": "",
        "password": "password",
        "server": server,
        "key": OUTDOOR.key,
        **changes,
    }


class _Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str | None]] = {}
        self.options: list[str | None] = []
        self.chosen: str | None = None
        self.refresh = ""
        self.language: str | None = ""
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in {"input", "select"}:
            self.fields[str(attributes["name"])] = attributes
        elif tag == "option":
            self.options.append(attributes["value"])
            if "selected" in attributes:
                self.chosen = attributes["value"]
        elif tag == "meta" and attributes.get("http-equiv") == "refresh":
            self.refresh = str(attributes["content"])
        elif tag == "html":
            self.language = attributes["lang"]


async def _result(board: Board, language: str = "en") -> str:
    """Return the page that the one which waits becomes."""
    while True:
        status, _, text = await board.request(language=language)
        assert status == 200
        if not _Page(text).refresh or DONE in text:
            return text
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("captive.apple.com", "/hotspot-detect.html"),
        ("connectivitycheck.gstatic.com", "/generate_204"),
        ("www.google.com", "/gen_204"),
        ("www.msftconnecttest.com", "/connecttest.txt"),
        ("detectportal.firefox.com", "/canonical.html"),
        (PORTAL, "/favicon.ico"),
    ],
)
async def test_captive_check(tmp_path: Path, host: str, path: str) -> None:
    """A phone that asks whether it is online is led to the page."""
    async with simulated_board(tmp_path) as board:
        status, location, text = await board.request(path, host=host)
    assert (status, location, text) == (302, f"http://{PORTAL}/", "")


async def test_dns(tmp_path: Path) -> None:
    """Each name is the board, which has no IPv6 address; what is no question is passed."""
    async with simulated_board(tmp_path) as board:
        await board.says("Portal: join")
        resolver = aiodns.DNSResolver(nameservers=["127.0.0.1"], udp_port=board.dns)
        for name in ("captive.apple.com", "home-assistant.io", "a.b.c.d.e.example"):
            found = await resolver.query_dns(name, "A")
            assert [record.data for record in found.answer] == [ARecordData(PORTAL)]
        with pytest.raises(aiodns.error.DNSError) as err:
            await resolver.query_dns("captive.apple.com", "AAAA")
        assert err.value.args[0] == aiodns.error.ARES_ENODATA
        await resolver.close()

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(0.3)
            question = (
                b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x01a\x00\x00\x01\x00\x01"
            )
            answer = bytes((*question[:2], question[2] | 0x80)) + question[3:]
            for junk in (
                b"",
                b"x",
                bytes(12),
                question[:-1],
                question[:14],
                answer,
                question[:4] + b"\x00\x02" + question[6:],
                question[:12] + b"\xc0\x0c\x00\x01\x00\x01",
                question[:12] + b"\x3f" + bytes(3),
                b"\xff" * 512,
            ):
                stranger.sendto(junk, ("127.0.0.1", board.dns))
            with pytest.raises(TimeoutError):
                stranger.recvfrom(512)
            stranger.sendto(question, ("127.0.0.1", board.dns))
            assert stranger.recvfrom(512)[0].endswith(bytes((192, 168, 4, 1)))


async def test_languages(tmp_path: Path) -> None:
    """The page is in the phone's language, else in English."""
    async with simulated_board(tmp_path) as board:
        for asked, language in (
            ("de-DE,de;q=0.9,en;q=0.8", "de"),
            ("pt-BR, es;q=0.5", "es"),
            ("FR", "fr"),
            ("en-GB", "en"),
            ("ja", "en"),
            ("", "en"),
        ):
            _, _, text = await board.request(language=asked)
            assert _Page(text).language == language
            assert LANGUAGES[language] in text


def test_texts() -> None:
    """Each language has each text."""
    texts: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        names: dict[str, dict[str, str]] = {}
        exec((FIRMWARE / "esp_weather" / f"texts_{language}.py").read_text(), names)  # noqa: S102
        texts[language] = names["TEXTS"]
    for language in LANGUAGES:
        assert set(texts[language]) == set(texts["en"])
        assert all(texts[language].values())


async def test_set_up(tmp_path: Path) -> None:
    """No settings, the form filled in, and the first report."""
    async with report_server() as server, simulated_board(tmp_path) as board:
        _, _, text = await board.request()
        assert OPEN in text
        page = _Page(text)
        assert page.options == ["Home", ""]
        assert set(page.fields) == {"ssid", "other", "password", "server", "key"}
        assert "Portal: join the Wi-Fi ESP-Weather-2b0e68" in board.console
        assert "Its password: none" in board.console

        form = _form(f"http://127.0.0.1:{server.port}")
        status, _, text = await board.request(form=form)
        assert status == 200
        assert _Page(text).refresh
        assert DONE in await _result(board)
        assert board.settings == {
            "interval": 60,
            "sensors": "auto",
            "wifi": {"ssid": "Home", "password": "password"},
            "server": {"host": "127.0.0.1", "port": server.port, "tls": False},
            "key": OUTDOOR.key,
        }
        await board.says("field 1 = ")
    assert server.requests


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "wrong password"}, "The password of the Wi-Fi is wrong."),
        ({"ssid": "", "other": "Neighbour"}, "This Wi-Fi is not in reach."),
        ({"ssid": "", "other": ""}, "This Wi-Fi is not in reach."),
        ({"ssid": "é" * 17}, "This Wi-Fi is not in reach."),
        ({"password": "short"}, "A password has 8 to 64 characters."),
        ({"key": ""}, "Enter the key"),
        ({"key": "no key"}, "Enter the key"),
        ({"key": "schlüssel"}, "Enter the key"),
        ({"key": "k" * 65}, "Enter the key"),
        ({"server": "ftp://192.168.1.2"}, "Enter an address such as"),
        ({"server": "192.168.1.2:99999"}, "Enter an address such as"),
        ({"server": "http://:8123"}, "Enter an address such as"),
        ({"server": "a b"}, "Enter an address such as"),
        ({"server": "127.0.0.1:1"}, "Nobody answers at the address"),
    ],
)
async def test_what_went_wrong(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    """It is on the page, which shows no secret to the next one; nothing was written."""
    async with simulated_board(tmp_path) as board:
        form = _form("127.0.0.1:1") | changes
        await board.request(form=form)
        text = await _result(board)
        assert f'<p class="e">{said}' in text
        page = _Page(text)
        assert page.fields["server"]["value"] == form["server"]
        assert page.fields["key"]["value"] == ""
        assert page.fields["password"]["value"] == ""
        assert form["ssid"] != "Home" or page.chosen == "Home"
        assert board.settings is None


async def test_what_is_there_stays(tmp_path: Path) -> None:
    """A station with settings is asked only for what is wrong; its key is not shown."""
    config = OUTDOOR.config(0, interval=1) | {"server": {}}
    async with report_server() as server, simulated_board(tmp_path, config) as board:
        _, _, text = await board.request()
        assert "found no Home Assistant that knows the key" in text
        assert OUTDOOR.key not in text
        assert "password" not in text.replace("Password", "").replace(OPEN, "").replace(
            'name="password"', ""
        ).replace('type="password"', "")
        page = _Page(text)
        assert page.chosen == "Home"
        assert page.fields["key"]["placeholder"] == "empty: unchanged"
        form = _form(f"127.0.0.1:{server.port}", password="", key="")
        await board.request(form=form)
        assert DONE in await _result(board)
        address = {"host": "127.0.0.1", "port": server.port, "tls": False}
        assert board.settings == config | {"server": address}
        await board.says("field 1 = ")


async def test_nonsense(tmp_path: Path) -> None:
    """Whatever somebody sends, the next one gets the page, and nothing is written."""
    requests = (
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        *(
            b"POST / HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: %b\r\n\r\n%b"
            % part
            for part in (
                (b"99999999", b"a"),
                (b"-1", b"ssid=Home"),
                (b"x", b"ssid=Home"),
                (b"6", b"ssid=%"),
                (b"8", b"ssid=%zz"),
                (b"8", b"ssid=%ff"),
                (b"0", b""),
            )
        ),
    )
    async with simulated_board(tmp_path) as board:
        await board.says("Portal: join")
        for request in requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", board.http)
            writer.write(request)
            with suppress(OSError):  # It may have hung up already.
                writer.write_eof()
                await reader.read()
            writer.close()
        # A form of another site, with what somebody may have guessed
        form = _form("127.0.0.1:1")
        await board.request(form=form, Origin="http://example.org")
        await board.request(form=form, host="example.org")
        _, _, text = await board.request()
        assert "Home" in _Page(text).options
        assert board.settings is None
        assert "joining" not in board.console
        assert "Traceback" not in board.console


async def test_slow_request(tmp_path: Path) -> None:
    """One that never comes to its end holds nobody up for long."""
    async with simulated_board(tmp_path) as board:
        await board.says("Portal: join")
        for is_dripping in (False, True):
            _, writer = await asyncio.open_connection("127.0.0.1", board.http)
            writer.write(b"GET / HTTP/1.1\r\n")
            dripping = asyncio.create_task(_drip(writer, is_dripping))
            async with asyncio.timeout(10):
                status, _, _ = await board.request()
            assert status == 200
            dripping.cancel()
            writer.close()
        assert board.console.count("Portal: a slow request") == 2


async def _drip(writer: asyncio.StreamWriter, is_dripping: bool) -> None:
    while is_dripping:
        with suppress(ConnectionError):  # It may have hung up already.
            writer.write(b"x")
            await writer.drain()
        await asyncio.sleep(0.2)


async def test_odd_names(tmp_path: Path) -> None:
    """Blanks, quotes, umlauts and emoji in name and password come to the Wi-Fi as they are."""
    ssid, password = " Café \U0001f3e0 'n\"<b>&+%41 ", " pä$$=&+%20;\\\"'<\u4f60 "
    config = OUTDOOR.config(0, interval=1)
    async with report_server() as server:
        config["server"]["port"] = server.port
        config["wifi"] = {"ssid": ssid, "password": password}
        program = tmp_path / "program.py"
        program.write_text(
            f"import world\nworld.networks = {{{ssid!r}: {password!r}}}\nimport board\n"
        )
        command = (INTERPRETER, program, *COMMAND[2:])
        modules = f"{FIRMWARE}:{BOARD}:{SIMULATOR}"
        async with simulated_board(tmp_path / "flash", None, command, modules) as board:
            _, _, text = await board.request()
            page = _Page(text)
            assert page.options == [ssid, ""]
            form = _form(f"127.0.0.1:{server.port}", ssid=ssid, password=password)
            await board.request(form=form)
            assert DONE in await _result(board)
            assert board.settings is not None
            assert board.settings["wifi"] == config["wifi"]
            await board.says("field 1 = ")


@pytest.mark.skipif(
    not INTERPRETER_32.exists(),
    reason="MicroPython for i386 is not there: scripts/setup gets it on x86 from Debian",
)
async def test_memory(tmp_path: Path) -> None:
    """On an ESP8266, all of it leaves 7 kB of the heap's 38.

    Measured as in test_memory.py, without what stands in for the board's own modules.
    """
    for fakes in (BOARD, SIMULATOR / "memory.py"):
        compile_modules(fakes, tmp_path / "fakes")
    build_firmware(tmp_path)
    heap = MEMORY + await _simulator(tmp_path)
    command = (INTERPRETER_32, "-X", f"heapsize={heap}", "-m", "memory", "10")
    async with simulated_board(tmp_path, command=command, modules=":fakes") as board:
        for language in LANGUAGES:
            form = _form(password="wrong password")
            await board.request(form=form, language=language)
            assert 'class="e"' in await _result(board, language)
        await board.request(form=_form())
        assert DONE in await _result(board)
        assert "MemoryError" not in board.console


async def _simulator(folder: Path) -> int:
    """Return the bytes that the simulator takes."""
    command = (INTERPRETER_32, "-m", "memory", "10")
    async with simulated_board(folder, command=command, modules=":fakes") as board:
        await board.says("simulator ")
        return int(board.console.split()[1])
