"""Reports that a database could choke on, and races with each of the databases."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
import re
import tempfile

from tools.databases import MARIADB, POSTGRESQL, Database, DatabaseMissingError
from tools.station import Station, add_station

from . import nonces, races
from .result import BrokenError, require
from .target import Target

ODD = Station("Odd", "5c:cf:7f:a0:02:01", key="Yb6Fn3hQwK8sLd2MzC9r")
_COMPILED = 310  # seconds; HA compiles statistics every five minutes
_RECORDER_FAILED = re.compile(r" ERROR .*(recorder|sqlalchemy|Recorder)")
_WRITTEN = 12  # seconds after which a report that was taken is in the database
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
    await add_station(target.home_assistant, ODD)
    statuses = {}
    for text in _TEXTS:
        status = {"board": text, "firmware": text, "update_error": text, "rssi": -61}
        answer = await target.patiently(
            partial(
                target.report_signed,
                ODD,
                fields={"1": {"kind": "temperature", "name": text}},
                status=status,
            )
        )
        statuses[repr(text)] = answer.status
    kinds = {str(number): {"kind": "number", "unit": "x"} for number in range(2, 9)}
    kinds["9"] = {"kind": "rain"}
    for value in _VALUES:
        readings = [{"field": field, "value": value} for field in (2, 9)]
        answer = await target.patiently(
            partial(target.report_signed, ODD, fields=kinds, readings=readings)
        )
        statuses[repr(value)] = answer.status
        for path in (
            f"/update/API_key={ODD.key}/mac={ODD.mac}/field=3/data={value!r}",
            f"/update?api_key={ODD.key}&field4={value!r}",
        ):
            statuses[f"unsigned {value!r}"] = (
                await target.patiently(partial(target.get, path))
            ).status
    wrong = {name: each for name, each in statuses.items() if each not in {200, 400}}
    require(not wrong, f"answered {wrong}")
    began = datetime.now(UTC)
    values = [round(20 + number / 100, 2) for number in range(20)]
    for value in values:
        path = f"/update/API_key={ODD.key}/mac={ODD.mac}/field=1/data={value}"
        answer = await target.patiently(partial(target.get, path))
        require(answer.status == 200, f"a real report afterwards: {answer}")
    entities = [
        each for each in await target.entities() if each.startswith("sensor.odd_")
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


async def _with(target: Target, database: Database) -> str:
    """Attack a separate Home Assistant with a database server."""
    if target.short:
        return "not tried in a short run"
    # Not in a folder of the target: this Home Assistant has nothing to do with it.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        try:
            async with (
                database.running() as url,
                Target.running(
                    folder / "config", short=False, database=url
                ) as attacked,
            ):
                figures = [
                    await _odd(attacked),
                    await _statistics(attacked),
                    await races.in_flight(attacked),
                    await races.same_reading_at_once(attacked),
                    await races.hung_up(attacked),
                    await races.changed_all_the_time(attacked),
                    await nonces.used(attacked),
                    await nonces.in_flight(attacked),
                    await attacked.see_that_nothing_broke(),
                ]
        except DatabaseMissingError as err:
            return f"not tried: {err}"
    return "; ".join(figures)


async def _statistics(target: Target) -> str:
    """Wait until statistics were compiled, and see that the recorder is well."""
    await asyncio.sleep(_COMPILED)
    log = target.home_assistant.log.read_text(errors="replace")
    errors = [line for line in log.splitlines() if _RECORDER_FAILED.search(line)]
    require(
        not errors,
        f"{len(errors)} errors of the recorder: {errors[0][:500] if errors else ''}",
    )
    return f"statistics without an error; {await _odd(target)}"


async def odd_values(target: Target) -> str:
    """What was answered 200 is in the database: odd texts and numbers, SQLite."""
    figure = await _odd(target)
    return figure if target.short else f"{figure}; {await _statistics(target)}"


async def postgresql(target: Target) -> str:
    """PostgreSQL: each report is one row, with odd texts and numbers, and in races."""
    return await _with(target, POSTGRESQL)


async def mariadb(target: Target) -> str:
    """MariaDB: each report is one row, with odd texts and numbers, and in races."""
    return await _with(target, MARIADB)


ATTACKS = (odd_values, postgresql, mariadb)
