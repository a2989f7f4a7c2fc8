"""A board looks for Home Assistant, among what else answers in the network."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
import fcntl
from pathlib import Path
import socket
from tempfile import gettempdir
from typing import IO, Any

import pytest
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from tools.home_assistant import free_port
from tools.station import OUTDOOR

from .server import report_server
from .simulated import Board, simulated_board

pytestmark = [pytest.mark.usefixtures("socket_enabled"), pytest.mark.timeout(120)]

SERVICE = "_home-assistant._tcp.local."


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Say that zeroconf leaves a timer of less than a second behind."""
    return True


@asynccontextmanager
async def _announced(*ports: int, **properties: str) -> AsyncGenerator[None]:
    """Announce servers on this machine alone, as Home Assistant's zeroconf does."""
    # What is announced here would be found by the boards of other tests.
    lock = await asyncio.to_thread(_lock)
    responder = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        await asyncio.gather(
            *(_announce(responder, port, properties) for port in ports)
        )
        yield
    finally:
        await responder.async_close()
        lock.close()


async def _announce(
    responder: AsyncZeroconf, port: int, properties: Mapping[str, str]
) -> None:
    announced = await responder.async_register_service(
        AsyncServiceInfo(
            SERVICE,
            name=f"Home {port}.{SERVICE}",
            server=f"host-{port}.local.",
            addresses=[socket.inet_aton("127.0.0.1")],
            port=port,
            properties={
                "location_name": "Home",
                "version": "2026.11.0",
                "internal_url": f"http://127.0.0.1:{port}",
                **properties,
            },
        )
    )
    await announced


def _lock() -> IO[bytes]:
    """Wait until no other test announces something."""
    lock = (Path(gettempdir()) / "esp_weather-mdns.lock").open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _config() -> dict[str, Any]:
    return OUTDOOR.config(0, interval=1) | {"server": {}}


async def _found(board: Board) -> Any:
    await board.says("field 1 = ")
    assert board.settings is not None
    return board.settings["server"]


async def test_find(tmp_path: Path) -> None:
    """Of those that answer, the one that knows the key is it, whatever the others do."""
    async with report_server() as stranger, report_server() as portal:
        stranger.answers = ["other key"]
        portal.answers = ["unsigned 200"]
        async with (
            report_server() as server,
            _announced(stranger.port, portal.port, free_port(), server.port),
            simulated_board(tmp_path, _config()) as board,
        ):
            assert await _found(board) == {
                "host": "127.0.0.1",
                "port": server.port,
                "tls": False,
            }
        # The key itself is told to nobody, and no reading.
        for each in (stranger, portal):
            assert not any(OUTDOOR.key in request for request in each.requests)
            assert all('"readings":[]' in request for request in each.requests)
            assert not each.stored


async def test_many(tmp_path: Path) -> None:
    """It is found among many that do not know the key, or are gone."""
    async with report_server() as stranger, report_server() as server:
        stranger.answers = ["other key"]
        others = [free_port() for _ in range(15)]
        async with (
            _announced(stranger.port, *others, server.port),
            simulated_board(tmp_path, _config()) as board,
        ):
            assert (await _found(board))["port"] == server.port


async def test_pairing(tmp_path: Path) -> None:
    """One that waits for a name signs its 503: that is it, too."""
    async with report_server() as server, _announced(server.port):
        server.answers = ["503"]
        async with simulated_board(tmp_path, _config()) as board:
            await board.says("Home Assistant is at 127.0.0.1")


async def test_nobody(tmp_path: Path) -> None:
    """The portal opens if there is no address at all."""
    async with report_server() as stranger, _announced(stranger.port):
        stranger.answers = ["unsigned 401"]
        async with simulated_board(tmp_path, _config()) as board:
            await board.says("Home Assistant was not found")
            await board.says("Portal: join")
            assert board.settings == _config()


async def test_flood(tmp_path: Path) -> None:
    """Somebody who answers everything with nonsense does not keep it from its answer."""
    junk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    junk.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    junk.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    junk.bind(("", 5353))
    junk.setsockopt(
        socket.IPPROTO_IP,
        socket.IP_ADD_MEMBERSHIP,
        socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1"),
    )
    junk.setblocking(False)
    loop = asyncio.get_running_loop()
    packets = [
        b"",
        b"\x00",
        b"\x00\x00\x84\x00" + b"\xff" * 60,
        # A name that points to itself
        b"\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c" + bytes(20),
        b"\x00\x00\x84\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x3fa" * 200,
        bytes(1400),
    ]

    def answer() -> None:
        _, sender = junk.recvfrom(2000)
        if sender[1] != 5353:
            for packet in packets:
                junk.sendto(packet, sender)

    loop.add_reader(junk, answer)
    try:
        async with (
            report_server() as server,
            _announced(server.port),
            simulated_board(tmp_path, _config()) as board,
        ):
            assert (await _found(board))["port"] == server.port
    finally:
        loop.remove_reader(junk)
        junk.close()


async def test_https(tmp_path: Path) -> None:
    """An internal URL of https makes it https, in which nobody answers here."""
    async with report_server() as server:
        async with (
            _announced(server.port, internal_url="https://ha.example.org"),
            simulated_board(tmp_path, _config()) as board,
        ):
            await board.says("Home Assistant was not found")
        assert not any("report" in request for request in server.requests)
