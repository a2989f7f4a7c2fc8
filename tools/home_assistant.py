"""A real Home Assistant (HA) process with a configuration folder of its own."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
import os
from pathlib import Path
from random import sample
import shutil
import signal
import socket
import sys
from typing import Any, Self

import aiohttp

from homeassistant.const import RESTART_EXIT_CODE

from .seed import seed

START_LIMIT = 180  # seconds; HA may have to install packages
STOP_LIMIT = 60  # seconds
LOG_TAIL = 30  # lines shown when HA fails

_SERVER_PORTS = range(20_000, 32_768)


class HomeAssistantError(Exception):
    """HA failed, or refused a request."""


class HomeAssistant:
    """An HA process on 127.0.0.1, driven over REST and websocket as a browser does."""

    def __init__(
        self,
        config: Path,
        port: int,
        environment: Mapping[str, str] = {},
        http: Mapping[str, Any] = {},
        program: Sequence[str] = ("-m", "homeassistant"),
    ) -> None:
        """Initialize with a configuration folder and a port; nothing is started yet.

        `environment` is added to that of this process, `http` to the settings of HA's
        web server; `program` is what Python runs.
        """
        self.config = config.absolute()
        self.database = self.config / "home-assistant_v2.db"
        self.log = self.config / "console.log"
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._environment = environment
        self._http_settings = http
        self._program = program
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._token = ""

    async def __aenter__(self) -> Self:
        """Start HA."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop HA."""
        await self.stop()

    @property
    def token(self) -> str:
        """Return the access token of the last login."""
        return self._token

    @property
    def process(self) -> Process:
        """Return the process that was started last."""
        if self._process is None:
            raise HomeAssistantError("Home Assistant was not started")
        return self._process

    async def start(self) -> None:
        """Start HA and return when it is running and this object is logged in.

        Raises HomeAssistantError, with the end of HA's log, if it does not come up.
        """
        seed(self.config, self.port, self._http_settings)
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *ending_with_this_process(sys.executable, *self._program),
                *("--config", str(self.config), "--log-no-color"),
                cwd=self.config,
                env={
                    **os.environ,
                    "SETUP_PORT": str(self.port),
                    **self._environment,
                },
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                # Ctrl-C in a terminal must not reach HA: stop() ends it.
                start_new_session=True,
            )
        self._session = aiohttp.ClientSession(self.url)
        self._token = ""
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._create_owner()
                await self.log_in()
                while (await self.rest("GET", "/api/core/state"))["state"] != "RUNNING":
                    await asyncio.sleep(0.1)
                # Otherwise HA's dialogs would show an address that it does not listen on.
                await self.websocket("config/core/update", internal_url=self.url)
        except (TimeoutError, aiohttp.ClientError, HomeAssistantError) as err:
            await self.stop()
            raise self._failed("did not start") from err
        except asyncio.CancelledError:
            await self.stop()
            raise

    @asynccontextmanager
    async def logged_in(self) -> AsyncGenerator[None]:
        """Use another login until the block ends, in the event loop of the caller."""
        before = self._session, self._token
        async with aiohttp.ClientSession(self.url) as self._session:
            self._token = ""
            await self.log_in()
            yield
        self._session, self._token = before

    async def stop(self) -> None:
        """Stop HA; kill it if that takes longer than STOP_LIMIT."""
        if self.process.returncode is None:
            self.process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), STOP_LIMIT)
        await self.kill()

    async def kill(self) -> None:
        """Kill HA and its child processes at once, as a power cut does."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        if self._session is not None:
            await self._session.close()

    async def wait(self) -> None:
        """Wait until HA ends; start it again if it was restarted from its pages.

        Raises HomeAssistantError, with the end of HA's log, if it failed.
        """
        while (code := await self.process.wait()) == RESTART_EXIT_CODE:
            await self.stop()
            await self.start()
        if code:
            raise self._failed(f"ended with exit code {code}")

    async def log_in(self) -> None:
        """Get a new access token, valid for 30 minutes."""
        client = {"client_id": f"{self.url}/"}
        flow = {
            **client,
            "handler": ["trusted_networks", None],
            "redirect_uri": f"{self.url}/",
        }
        code = (await self.rest("POST", "/auth/login_flow", flow))["result"]
        form = {**client, "grant_type": "authorization_code", "code": code}
        async with self._http.post("/auth/token", data=form) as response:
            self._token = (await response.json())["access_token"]

    async def rest(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Return HA's JSON answer. Raises HomeAssistantError if it refuses."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._http.request(
            method, path, json=body, headers=headers
        ) as response:
            if not response.ok:
                raise HomeAssistantError(
                    f"{method} {path}: {response.status} {await response.text()}"
                )
            return await response.json()

    async def websocket(self, command: str, **arguments: Any) -> Any:
        """Return the result of a command. Raises HomeAssistantError if HA refuses."""
        async with self._http.ws_connect(
            "/api/websocket", max_msg_size=0
        ) as connection:
            await connection.receive_json()
            await connection.send_json({"type": "auth", "access_token": self._token})
            await connection.receive_json()
            await connection.send_json({"id": 1, "type": command, **arguments})
            answer = await connection.receive_json()
        if not answer.get("success"):
            raise HomeAssistantError(f"{command}: {answer}")
        return answer["result"]

    async def _create_owner(self) -> None:
        """Create the owner as soon as HA answers, unless there is one."""
        owner = {
            "name": "Developer",
            "username": "developer",
            "password": "developer",
            "client_id": f"{self.url}/",
            "language": "en",
        }
        while self.process.returncode is None:
            with suppress(aiohttp.ClientConnectionError):
                async with self._http.post("/api/onboarding/users", json=owner):
                    return
            await asyncio.sleep(0.1)
        raise HomeAssistantError("Home Assistant ended")

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise HomeAssistantError("Home Assistant was not started")
        return self._session

    def _failed(self, how: str) -> HomeAssistantError:
        tail = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return HomeAssistantError(
            f"Home Assistant {how}. The end of {self.log}:\n" + "\n".join(tail)
        )


def ending_with_this_process(*command: str) -> list[str]:
    """Return the command; on Linux it ends even if this process is killed."""
    setpriv = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    return [*setpriv, *command]


def free_port(first: int = 0) -> int:
    """Return the first free port of 127.0.0.1 from `first` on; a random one for 0.

    A random one is below those that Linux gives to outgoing connections: one of these
    could take it before its server is started, or started again.
    """
    ports = range(first, 65536) if first else sample(_SERVER_PORTS, len(_SERVER_PORTS))
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"No port of 127.0.0.1 from {first} on is free")
