"""A Home Assistant (HA) for measurements, with stations."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
import json
from pathlib import Path
from typing import Any, override

from tools.home_assistant import HomeAssistant, free_port
from tools.seed import LOGGER, LOGIN, seed, store
from tools.station import OUTDOOR, Station

from .server import keep_off_load_core

BENCH_VIEW = Path(__file__).with_name("bench_view")
# Written at the installation: HACS requires a repository with one manifest.json.
MANIFEST = {
    "domain": BENCH_VIEW.name,
    "name": "The limits that ESP Weather is measured against",
    "codeowners": [],
    "config_flow": True,
    "dependencies": ["http"],
    "documentation": "https://github.com/esp-weather/esp_weather",
    "iot_class": "local_push",
    "requirements": [],
    "version": "0.1.0",
}
CREATED = "2026-01-01T00:00:00+00:00"

CONFIGURATION = f"""\
{LOGIN}
frontend:
webhook:

{LOGGER}"""
# For each station a sensor that is written by a webhook
WEBHOOK = """\
  - triggers:
      - trigger: webhook
        webhook_id: bench_{number}
        allowed_methods: [POST]
        local_only: true
    sensor:
      - name: Webhook {number}
        state: "{{{{ trigger.json.value }}}}"
        device_class: temperature
        state_class: measurement
        unit_of_measurement: °C
"""


class BenchHomeAssistant(HomeAssistant):
    """An HA process whose stations are written into its storage."""

    def __init__(
        self,
        config: Path,
        stations: Sequence[Station],
        *,
        recorder: bool,
        domain: str = "esp_weather",
        environment: Mapping[str, str] = {},
    ) -> None:
        """Prepare the configuration folder.

        With the recorder, HA has a webhook beside each station, for comparison.
        `domain` is the integration that the stations' config entries are of; the
        one other than esp_weather is bench_view, for comparison.
        """
        super().__init__(config, free_port(), environment)
        seed(config, self.port)
        webhooks = range(len(stations)) if recorder else ()
        (config / "configuration.yaml").write_text(
            CONFIGURATION
            + ("recorder:\ntemplate:\n" if recorder else "")
            + "".join(WEBHOOK.format(number=number) for number in webhooks)
        )
        _install_bench_view(config)
        entries = [_entry(domain, station) for station in stations]
        if domain != BENCH_VIEW.name:
            entries.append(_entry(BENCH_VIEW.name, OUTDOOR))
        store(config, "core.config_entries", 1, {"entries": entries}, minor_version=5)

    async def states(self, entity_id: str) -> AsyncGenerator[str]:
        """Yield each state of an entity as browsers receive it."""
        async with self._http.ws_connect("/api/websocket") as connection:
            await connection.receive_json()
            await connection.send_json({"type": "auth", "access_token": self._token})
            await connection.receive_json()
            await connection.send_json(
                {"id": 1, "type": "subscribe_events", "event_type": "state_changed"}
            )
            async for message in connection:
                if (event := message.json().get("event")) is not None:
                    if event["data"]["entity_id"] == entity_id:
                        yield event["data"]["new_state"]["state"]

    @override
    async def start(self) -> None:
        """Start HA, and keep its event loop off the core of the load."""
        await super().start()
        keep_off_load_core(self.process.pid)


def many_stations(number: int) -> list[Station]:
    """Return `number` stations, each with a key of its own."""
    return [
        replace(
            OUTDOOR,
            name=f"Station {station}",
            mac=f"02:00:00:00:{station // 100:02}:{station % 100:02}",
            # The key of a form report identifies its station.
            key=f"{OUTDOOR.key}{station:04}",
        )
        for station in range(number)
    ]


def _install_bench_view(config: Path) -> None:
    folder = config / "custom_components" / BENCH_VIEW.name
    folder.mkdir()
    for module in BENCH_VIEW.glob("*.py"):
        (folder / module.name).symlink_to(module)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST, indent=2))


def _entry(domain: str, station: Station) -> dict[str, Any]:
    """Return the config entry of a station as HA stores it."""
    return {
        "created_at": CREATED,
        "data": {"mac": station.mac, "api_key": station.key},
        "discovery_keys": {},
        "disabled_by": None,
        "domain": domain,
        "entry_id": f"{domain}_{station.mac.replace(':', '')}",
        "minor_version": 1,
        "modified_at": CREATED,
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": station.name,
        "unique_id": station.mac,
        "version": 1,
    }
