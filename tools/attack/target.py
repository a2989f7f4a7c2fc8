"""A Home Assistant (HA) to attack, and its owner's view of the attacks."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
import secrets
import time
from typing import Any
from urllib.parse import quote, unquote

from tools.home_assistant import HomeAssistant, free_port
from tools.process import memory, open_files
from tools.release_copy import add_firmware
from tools.seed import seed
from tools.signature import SIGNED_PATH, Signer, nonce_in
from tools.station import ENTRIES, Station, add_station

from . import late
from .result import require
from .wire import Answer, ask, request

# Keys that no other text of a log resembles
VICTIM = Station("Victim", "5c:cf:7f:a0:00:01", key="Zq7Kx2mVtR9bLw4NcY6h")
NEIGHBOUR = Station("Neighbour", "5c:cf:7f:a0:00:02", key="Hs3Wd8pJfU5gXe1QzT7v")
WRONG_KEY = "Bn4Ck6rMyA2jPs9GhV3d"
UNKNOWN_MAC = "5c:cf:7f:ff:00:01"
PART = 6  # consecutive letters of a key that count as a part of it
OURS = re.compile(r'^  File ".*/custom_components/esp_weather/', re.MULTILINE)
FLOWS = "/api/config/config_entries/flow"
_OPTIONS = "/api/config/config_entries/options/flow"

type Attack = Callable[[Target], Awaitable[str]]


@dataclass
class Target:
    """A running HA with two stations, observed over HTTP and in its log."""

    home_assistant: HomeAssistant
    short: bool
    secrets: list[str] = field(default_factory=lambda: [VICTIM.key, NEIGHBOUR.key])
    crowded: bool = False  # whether there are as many stations as in the largest home
    _log_position: int = 0

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        folder: Path,
        *,
        short: bool,
        database: str | None = None,
        clock: Path | None = None,
        http: Mapping[str, Any] = {},
    ) -> AsyncGenerator[Target]:
        """Start HA with an empty folder.

        `database` is the recorder's URL, `clock` a file that puts HA's clocks forward,
        `http` is added to the settings of its web server.
        """
        port = free_port()
        seed(folder, port, http)
        add_firmware(folder, "## Firmware")
        if database:
            configuration = folder / "configuration.yaml"
            configuration.write_text(
                configuration.read_text().replace(
                    "recorder:\n", f"recorder:\n  db_url: {database}\n"
                )
            )
        options: dict[str, Any] = {"http": http}
        if clock:
            late.create(clock)
            options |= {
                "environment": {late.VARIABLE: str(clock)},
                "program": late.PROGRAM,
            }
        async with HomeAssistant(folder, port, **options) as home_assistant:
            for station in (VICTIM, NEIGHBOUR):
                await add_station(home_assistant, station)
            target = cls(home_assistant, short)
            await target.take(VICTIM)
            await target.take(NEIGHBOUR)
            await target.pass_the_log()
            yield target

    @property
    def port(self) -> int:
        """Return the port that HA listens on."""
        return self.home_assistant.port

    def many(self, count: int) -> int:
        """Return a number of tries, fewer of them in a short run."""
        return max(1, count // 10) if self.short else count

    async def ask(self, *segments: bytes, **options: Any) -> Answer:
        """Return the answer to a request on a connection of its own."""
        return await ask(self.port, *segments, **options)

    async def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a GET; `_` in a header's name stands for `-`."""
        return await self.ask(request("GET", path, headers=_named(headers), close=True))

    async def post(self, path: str, body: bytes, **headers: str) -> Answer:
        """Return the answer to a POST; `_` in a header's name stands for `-`."""
        return await self.ask(request("POST", path, body, _named(headers), close=True))

    async def take(self, station: Station, limit: float = 10) -> float:
        """Have a report of a station taken; return how many seconds that took.

        Raises BrokenError if it is not taken in time.
        """
        began = time.monotonic()
        answer = Answer()
        while time.monotonic() - began < limit:
            answer = await self.get(station.report_path(1, _any_value()))
            if answer.status == 200:
                return time.monotonic() - began
            await asyncio.sleep(0.1)
        require(False, f"a real report is answered {answer.status} for {limit} s")
        return limit

    async def patiently(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer to a report that is sent again while HA says: later."""
        for _ in range(50):
            answer = await send()
            if answer.status != 503:
                break
            await asyncio.sleep(0.1)
        return answer

    async def nonce(self) -> str:
        """Return a nonce, which HA gives to everybody."""
        answer = await self.post(SIGNED_PATH, b"")
        return nonce_in(answer.headers["accept-signature"])

    async def report_signed(
        self, station: Station, nonce: str | None = None, **report: Any
    ) -> Answer:
        """Return the answer to a signed report; `report` holds its members beside the MAC."""
        body = json.dumps({"mac": station.mac, "readings": [], **report}).encode()
        return await self.ask(
            request(
                "POST",
                SIGNED_PATH,
                body,
                Signer(station.mac, station.key).headers(
                    body, await self.nonce() if nonce is None else nonce
                ),
                close=True,
            )
        )

    async def state(self, station: Station, kind: str = "temperature") -> str:
        """Return the state of a sensor of a station."""
        entity_id = f"sensor.{station.name.lower()}_{kind}"
        return str(
            (await self.home_assistant.rest("GET", f"/api/states/{entity_id}"))["state"]
        )

    async def rows(self, entity_id: str, since: datetime) -> list[str]:
        """Return the recorded states of an entity, oldest first."""
        begin = since.astimezone(UTC).isoformat()
        end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        (history,) = await self.home_assistant.rest(
            "GET",
            f"/api/history/period/{quote(begin)}?filter_entity_id={entity_id}"
            f"&end_time={quote(end)}&significant_changes_only=0&minimal_response",
        ) or [[]]
        # HA notes with None that an entity was removed.
        return [each["state"] for each in history if each["state"] is not None]

    async def entities(self) -> set[str]:
        """Return the IDs of all entities."""
        return {
            each["entity_id"]
            for each in await self.home_assistant.rest("GET", "/api/states")
        }

    async def discovered(self) -> int:
        """Return the number of discovered stations."""
        flows = await self.home_assistant.websocket("config_entries/flow/progress")
        return sum(each["handler"] == "esp_weather" for each in flows)

    async def set_option(self, station: Station, name: str, value: Any) -> None:
        """Change one option of a station in its dialog, and keep the others."""
        rest = self.home_assistant.rest
        entry = (await self.entry(station))["entry_id"]
        step = await rest("POST", _OPTIONS, {"handler": entry})
        flow = f"{_OPTIONS}/{step['flow_id']}"
        step = await rest("POST", flow, {"next_step_id": "station"})
        shown = {
            each["name"]: suggested
            for each in step["data_schema"]
            if (suggested := _suggested(each)) is not None
        }
        await rest("POST", flow, {**shown, name: value})

    async def reload(self, station: Station) -> None:
        """Reload a station."""
        await self._change(station, "POST", "/reload")

    async def remove(self, station: Station) -> None:
        """Remove a station."""
        await self._change(station, "DELETE")

    async def disable_and_enable(self, station: Station, pause: float = 0) -> None:
        """Disable a station and enable it again, with a pause after each, in seconds."""
        entry = (await self.entry(station))["entry_id"]
        for disabled_by in ("user", None):
            await self.home_assistant.websocket(
                "config_entries/disable", entry_id=entry, disabled_by=disabled_by
            )
            await asyncio.sleep(pause)

    async def _change(self, station: Station, method: str, what: str = "") -> None:
        entry = (await self.entry(station))["entry_id"]
        await self.home_assistant.rest(method, f"{ENTRIES}/{entry}{what}")

    async def entry(self, station: Station) -> dict[str, Any]:
        """Return the config entry of a station."""
        entries = await self.home_assistant.rest("GET", f"{ENTRIES}?domain=esp_weather")
        (found,) = (each for each in entries if each["title"] == station.name)
        return dict(found)

    async def log_at(self, level: str) -> None:
        """Set the log level."""
        await self.home_assistant.rest(
            "POST", "/api/services/logger/set_default_level", {"level": level}
        )

    def cpu(self) -> float:
        """Return the seconds of processor time that HA has taken, all threads."""
        # How Linux numbers the clock of another process: see clock_getcpuclockid(3)
        return time.clock_gettime((~self.home_assistant.process.pid << 3) | 2)

    def memory(self) -> int:
        """Return the bytes of memory that HA holds."""
        return memory(self.home_assistant.process.pid)

    def open_files(self) -> int:
        """Return how many files and connections HA has open."""
        return open_files(self.home_assistant.process.pid)

    async def files_left(self, before: int, limit: float = 5) -> int:
        """Return how many more files than `before` stay open, after some seconds."""
        end = time.monotonic() + limit
        while (left := self.open_files() - before) > 0 and time.monotonic() < end:
            await asyncio.sleep(0.1)
        return left

    def new_log(self) -> str:
        """Return what was logged since the last call."""
        with self.home_assistant.log.open("rb") as log:
            log.seek(self._log_position)
            text = log.read()
        self._log_position += len(text)
        return text.decode(errors="replace")

    async def pass_the_log(self) -> None:
        """Skip what was logged so far."""
        self.new_log()

    async def see_that_nothing_broke(self) -> str:
        """Check that a real report is taken, and that the log has no key or traceback.

        Returns a text with the time that the report took. Raises BrokenError.
        """
        # Of both, so that no attack finds the values of the one before
        waited = max([await self.take(station) for station in (VICTIM, NEIGHBOUR)])
        log = self.new_log()
        if found := self.key_in(log):
            at = log.find(found)
            require(False, f"a key is in the log: …{log[max(0, at - 200) : at + 80]!r}")
        if traceback := OURS.search(log):
            at = log.rfind("Traceback", 0, traceback.start())
            require(False, f"a traceback in the log: {log[at : at + 1500]!r}")
        return f"next report taken after {waited * 1000:.0f} ms"

    def key_in(self, text: str) -> str | None:
        """Return the first part of a key in a text, however it is spelt."""
        spellings = (text, unquote(text), unquote(unquote(text)))
        for secret in self.secrets:
            for start in range(len(secret) - PART + 1):
                part = secret[start : start + PART]
                if any(part in spelling for spelling in spellings):
                    return part if part in text else secret
        return None


def legacy(
    station: Station,
    *,
    mac: str | None = None,
    key: str | None = None,
    data: str = "21.5",
) -> str:
    """Return the path of a legacy report, with another MAC or key if given."""
    return (
        f"/update/API_key={key or station.key}/mac={mac or station.mac}"
        f"/field=1/data={data}"
    )


def any_key() -> str:
    """Return a key that nobody has."""
    return secrets.token_hex(10)


def any_mac() -> str:
    """Return a MAC that nobody has."""
    return "66:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5))


def _suggested(shown: Mapping[str, Any]) -> Any:
    """Return what a dialog suggests for one of its options."""
    description = shown.get("description") or {}
    return description.get("suggested_value", shown.get("default"))


def _any_value() -> str:
    return f"{20 + secrets.randbelow(1000) / 100:.2f}"


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
