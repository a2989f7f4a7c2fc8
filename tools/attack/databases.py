"""Reports that a database could choke on, and races with each of the databases."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
import tempfile

from tools.databases import MARIADB, POSTGRESQL, Database, DatabaseMissingError

from . import races
from .result import BrokenError, require
from .target import VICTIM, Target

_WRITTEN = 12  # seconds until a report that was taken is in the database
_TEXTS = (
    *(
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "\U0001f321",
        "\u202eabc",
        "\x1b[31m",
        "\ufffe",
    ),
    *(
        "'; DROP TABLE states; --",
        "\\",
        '"',
        "%s%(x)s",
        "\n\r\t",
        "\x7f\x01",
        "{{ 1/0 }}",
    ),
)
_VALUES = (
    1e308,
    -1e308,
    1.7976931348623157e308,
    5e-324,
    1e-10,
    -0.0,
    2**63,
    1e22,
    1e15,
)


async def _odd(target: Target) -> str:
    """Send texts and numbers; check that accepted and later readings are stored."""
    statuses = {}
    for text in _TEXTS:
        answer = await target.report_signed(
            VICTIM,
            fields={"1": {"kind": "temperature", "name": text}},
            status={"board": text, "firmware": text, "update_error": text, "rssi": -61},
        )
        statuses[repr(text)] = answer.status
    kinds = {str(number): {"kind": "number", "unit": "x"} for number in range(2, 9)}
    kinds["9"] = {"kind": "rain"}
    for value in _VALUES:
        answer = await target.report_signed(
            VICTIM,
            fields=kinds,
            readings=[{"field": field, "value": value} for field in (2, 9)],
        )
        statuses[repr(value)] = answer.status
        for path in (
            f"/update/API_key={VICTIM.key}/mac={VICTIM.mac}/field=3/data={value!r}",
            f"/update?api_key={VICTIM.key}&field4={value!r}",
        ):
            statuses[f"unsigned {value!r}"] = (await target.get(path)).status
    wrong = {name: each for name, each in statuses.items() if each not in {200, 400}}
    require(not wrong, f"answered {wrong}")
    began = datetime.now(UTC)
    values = [round(20 + number / 100, 2) for number in range(20)]
    for value in values:
        path = f"/update/API_key={VICTIM.key}/mac={VICTIM.mac}/field=1/data={value}"
        answer = await target.get(path)
        require(answer.status == 200, f"a real report afterwards: {answer}")
    entities = [
        each for each in await target.entities() if each.startswith("sensor.victim_")
    ]
    for _ in range(_WRITTEN):
        stored = {
            state for entity in entities for state in await target.rows(entity, began)
        }
        missing = [value for value in values if str(value) not in stored]
        if not missing:
            return f"{len(statuses)} reports; 20 of 20 that follow are stored"
        await asyncio.sleep(1)
    raise BrokenError(f"{len(missing)} of 20 that follow are not stored: {statuses}")


async def _with(target: Target, database: Database | None) -> str:
    """Attack a separate Home Assistant with a database."""
    # The server runs as a user that cannot reach a private folder of this one.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        if database is None:
            return await _attack(folder, target, None)
        try:
            async with database.running(folder / "database") as url:
                return await _attack(folder, target, url)
        except DatabaseMissingError as err:
            return f"not tried: {err}"


async def _attack(folder: Path, target: Target, url: str | None) -> str:
    async with Target.running(
        folder / "config", short=target.short, database=url
    ) as attacked:
        figures = [await _odd(attacked)]
        if url:
            figures += [
                await races.in_flight(attacked),
                await races.same_reading_at_once(attacked),
                await races.changed_all_the_time(attacked),
            ]
        if not target.short:
            await asyncio.sleep(310)  # Statistics are compiled every five minutes.
            figures.append(await _odd(attacked))
            log = attacked.home_assistant.log.read_text(errors="replace")
            at = log.find("Error executing")
            require(at < 0, f"the recorder's log: {log[at - 200 : at + 800]}")
        figures.append(await attacked.see_that_nothing_broke())
    return "; ".join(figures)


async def odd_values_sqlite(target: Target) -> str:
    """What was answered 200 is in the database: odd texts and numbers, SQLite."""
    return await _with(target, None)


async def odd_values_postgresql(target: Target) -> str:
    """PostgreSQL: each report is one row, with odd texts and numbers, and in races."""
    return await _with(target, POSTGRESQL)


async def odd_values_mariadb(target: Target) -> str:
    """MariaDB: the same."""
    return await _with(target, MARIADB)


ATTACKS = (odd_values_sqlite, odd_values_postgresql, odd_values_mariadb)
