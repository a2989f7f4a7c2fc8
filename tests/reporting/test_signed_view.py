"""The signed report over HTTP: each row of the table in docs/protocol.md."""

import asyncio
import gzip
from http import HTTPStatus
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from http_message_signatures import ContentDigest, HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.esp_weather.const import CONF_LEGACY, DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.protocol.nonces import NONCE_LIFETIME, Nonces
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    SOURCE_USER,
    ConfigEntryDisabler,
)
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import CoreState, HomeAssistant
from tests.helpers import (
    KEY,
    Get,
    entity_id,
    follow_up,
    issues,
    legacy_url,
    state_of,
    station_entry,
)
from tests.signed_station import (
    INDOOR,
    OUTDOOR,
    SignedAnswer,
    SignedStation,
    nonce_of,
    reading,
    taken,
)
from tools.signature import SIGNED_PATH, Signer

REFUSAL = (
    "This is not signed with the key of a station with this MAC and a fresh nonce."
    " Sign it again with the nonce of this answer."
)


def _assert_unauthorized(answer: SignedAnswer, *, believed: bool = False) -> None:
    # Without the key, every sender gets the same answer.
    assert answer.is_believed == believed
    assert ("Signature" in answer.headers) == believed
    assert answer.content["error"] == "unauthorized"
    assert (answer.status, answer.text) == (HTTPStatus.UNAUTHORIZED, REFUSAL)
    assert answer.headers["WWW-Authenticate"] == "Signature"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(nonce_of(answer)) == 48


async def test_answer_is_small(station: MockConfigEntry, signed: SignedStation) -> None:
    """What a station on a battery waits for, with its head; -rP shows the bytes."""
    await signed.report(reading(21.5), stream="9f3a1c22", first=1)
    body = signed.body(reading(21.5), stream="9f3a1c22", first=2)
    headers = OUTDOOR.headers(body, signed.nonce) | {"Connection": "close"}
    answer = await signed.client.post(SIGNED_PATH, data=body, headers=headers)
    assert answer.status == HTTPStatus.OK
    head = sum(len(name) + len(value) + 4 for name, value in answer.raw_headers)
    size = len("HTTP/1.1 200 OK\r\n") + head + 2 + len(await answer.read())
    print("Home Assistant's answer to a signed report:", size, "bytes")  # noqa: T201
    assert size <= 700


async def test_report(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A report is taken once it is signed with an issued nonce."""
    body = signed.body(reading(21.5), reading(-3, field=2), {"field": 3, "value": 7})

    _assert_unauthorized(await signed.post(body), believed=True)
    assert entity_id(hass, "1") is None

    answer = await signed.post(body)
    assert (answer.status, answer.content) == (HTTPStatus.OK, taken(3))
    assert answer.is_believed
    assert answer.headers["Cache-Control"] == "no-store"
    assert [state_of(hass, field) for field in "123"] == ["21.5", "-3.0", "7.0"]
    # Each answer brings the nonce for the next report.
    assert (await signed.post(signed.body(reading(22)))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "22.0"


@pytest.mark.parametrize("options", [{CONF_LEGACY: False}])
async def test_without_legacy(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation, get: Get
) -> None:
    """A station may sign where unsigned reports are off."""
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN
    assert (await signed.report(reading(21.5))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "21.5"


async def test_last_of_equal_age(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """The order in the report decides between readings of the same time."""
    await signed.report(reading(1), reading(2), reading(3, 10))
    assert state_of(hass, "1") == "2.0"


@pytest.mark.parametrize("options", [{"fields": {"1": {"offset": -0.75}}}])
async def test_value(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A value is calibrated and rounded as that of a legacy report."""
    await signed.report(reading(21.12344))
    assert state_of(hass, "1") == "20.3734"


async def test_used_nonce(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A recorded report cannot be replayed, not even after a reload."""
    await signed.post(b"")
    body = signed.body(reading(21.5))
    headers = OUTDOOR.headers(body, signed.nonce)
    assert (await signed.post(body, headers)).status == HTTPStatus.OK
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    _assert_unauthorized(await signed.post(body, headers), believed=True)
    await hass.config_entries.async_reload(station.entry_id)
    changes.clear()
    _assert_unauthorized(await signed.post(body, headers), believed=True)
    assert (await signed.post(signed.body(reading(22)))).status == HTTPStatus.OK
    changes.clear()
    _assert_unauthorized(await signed.post(body, headers), believed=True)

    assert not changes


async def test_older_nonce(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A report that was held back is invalid once a later one was taken."""
    await signed.post(b"")
    held_back = signed.body(reading(30))
    headers = OUTDOOR.headers(held_back, signed.nonce)
    # Nonces that others are given meanwhile do not affect the station.
    nonce = signed.nonce
    for _ in range(3):
        await signed.post(b"", {})
    assert (await signed.post(signed.body(reading(21)))).status == HTTPStatus.OK

    _assert_unauthorized(await signed.post(held_back, headers), believed=True)
    signed.nonce = nonce
    _assert_unauthorized(await signed.post(held_back), believed=True)
    assert state_of(hass, "1") == "21.0"


async def test_unused_nonce_stays_good(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A nonce is valid for two hours, whatever others request meanwhile."""
    await signed.post(b"")
    nonce = signed.nonce
    await signed.post(b"", {})
    freezer.tick(NONCE_LIFETIME - 1)
    signed.nonce = nonce
    assert (await signed.post(signed.body(reading(21)))).status == HTTPStatus.OK

    freezer.tick(NONCE_LIFETIME + 1)
    _assert_unauthorized(await signed.post(signed.body(reading(22))), believed=True)


@pytest.mark.parametrize("nonce", ["", "0" * 48, "f" * 48, "00", "x", "ü"])
async def test_own_nonce(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation, nonce: str
) -> None:
    """Only nonces that were issued are valid."""
    signed.nonce = nonce
    _assert_unauthorized(
        await signed.post(signed.body(reading(21))), believed=nonce.isascii()
    )


async def test_two_stations(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A report of one station is not accepted as another's with the same key."""
    station_entry(INDOOR.mac, "Indoor").add_to_hass(hass)
    await hass.config_entries.async_setup(
        hass.config_entries.async_entries(DOMAIN)[-1].entry_id
    )
    await signed.post(b"")
    body = signed.body(reading(21))
    headers = OUTDOOR.headers(body, signed.nonce)
    headers["Signature-Input"] = headers["Signature-Input"].replace(
        OUTDOOR.mac, INDOOR.mac
    )
    _assert_unauthorized(await signed.post(body, headers))

    answer = await signed.post(body, INDOOR.headers(body, signed.nonce))
    assert (answer.status, answer.text) == (
        HTTPStatus.BAD_REQUEST,
        "mac is not the MAC address that the report is signed with.",
    )


@pytest.mark.parametrize(
    "forged",
    [
        Signer(OUTDOOR.mac, "wrong"),
        Signer("00:00:00:00:00:00", KEY),
        Signer("not a MAC", KEY),
        Signer("00:00:00:00:00:01", KEY),
    ],
)
async def test_wrong_key(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    forged: Signer,
) -> None:
    """A wrong key and a MAC that is unknown or ignored are answered alike."""
    MockConfigEntry(
        domain=DOMAIN, unique_id="00:00:00:00:00:01", source=SOURCE_IGNORE
    ).add_to_hass(hass)
    await signed.post(b"")
    signed.signer = forged
    for _ in range(3):
        _assert_unauthorized(await signed.post(signed.body(reading(21))))

    await follow_up(hass)

    assert entity_id(hass, "1") is None
    assert bool(issues(hass)) == (forged.mac == OUTDOOR.mac)

    signed.signer = OUTDOOR
    assert (await signed.report(reading(21))).status == HTTPStatus.OK
    assert not issues(hass)


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("Content-Digest", "=:", "=:A"),
        ("Content-Digest", "sha-256", "md5"),
        ("Signature", "=:", "=:A"),
        ("Signature", "sig", "other"),
        ("Signature", ":", "é"),
        ("Signature-Input", ' "content-digest"', ""),
        ("Signature-Input", '"@method"', '"@status"'),
        ("Signature-Input", ";keyid", ";other"),
        ("Signature-Input", '"@path"', '"@path";x=("@path"'),
        ("Signature-Input", ";keyid", ';alg="ed25519";keyid'),
        ("Signature-Input", ";keyid", ";expires=1;keyid"),
        ("Signature-Input", "sig=", "sig=(),sig="),
    ],
)
async def test_changed_headers(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    header: str,
    old: str,
    new: str,
) -> None:
    """No part of the signature can be changed or left out."""
    await signed.post(b"")
    body = signed.body(reading(21))
    headers = OUTDOOR.headers(body, signed.nonce)
    assert old in headers[header]
    changed = headers | {header: headers[header].replace(old, new, 1)}
    _assert_unauthorized(await signed.post(body, changed))
    del headers[header]
    _assert_unauthorized(await signed.post(body, headers))
    assert entity_id(hass, "1") is None


async def test_changed_body(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """Another body under the same signature is refused, and so is another path."""
    await signed.post(b"")
    body = signed.body(reading(21))
    headers = OUTDOOR.headers(body, signed.nonce)
    _assert_unauthorized(await signed.post(signed.body(reading(22)), headers))

    headers = OUTDOOR.headers(body, signed.nonce, "/api/states")
    _assert_unauthorized(await signed.post(body, headers))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The body is not JSON."),
        (b"[" * 10_000, "The body is not JSON."),
        (b"[]", "The report needs a mac and a list of readings."),
        (b'{"mac": "6c:rf:7f:2b:0e:g8"}', None),
        (b'{"mac": 1, "readings": []}', None),
        (b'{"mac": "6c:rf:7f:2b:0e:g8", "readings": {}}', None),
        (b'{"mac": "x", "readings": []}', "mac is not the MAC address"),
        ([{}], "Reading 1: A reading needs a field and a value."),
        ([1], "Reading 1: A reading needs a field and a value."),
        (
            [reading(1), reading(1, field=10)],
            "Reading 2: field is not a number from 1 to 9.",
        ),
        ([{"field": True, "value": 1}], "Reading 1: field is not a number"),
        ([{"field": 1.0, "value": 1}], "Reading 1: field is not a number"),
        ([{"field": 1, "value": "1"}], "Reading 1: value is not a number."),
        ([{"field": 1, "value": None}], "Reading 1: value is not a number."),
        ([{"field": 1, "value": False}], "Reading 1: value is not a number."),
        ([reading(1, -0.1)], "age is not a number of seconds from 0 to 604800."),
        ([reading(1, 604801)], "age is not a number of seconds from 0 to 604800."),
        ([{"field": 1, "value": 1, "age": None}], "Reading 1: age is not a number"),
        ([reading(1)] * 501, "The report has more than 500 readings."),
        ({"status": 1}, "status has an impossible value."),
        ({"status": {"uptime": -1}}, "status.uptime has an impossible value."),
        ({"fields": {"1": {"kind": 1}}}, "fields.1.kind has an impossible value."),
        ({"stream": "9f3a1c22"}, "first is a whole number from 0 to 9007199254740492."),
    ],
)
async def test_bad_request(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    body: Any,
    text: str | None,
) -> None:
    """A malformed report is refused whole, with the reason."""
    if isinstance(body, list):
        body = signed.body(*body)
    elif isinstance(body, dict):
        body = signed.body(reading(20), **body)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    await signed.post(b"")

    answer = await signed.post(body)

    assert answer.status == HTTPStatus.BAD_REQUEST
    assert (text or "The report needs a mac and a list of readings.") in answer.text
    assert not changes
    assert entity_id(hass, "1") is None
    assert (await signed.post(signed.body(reading(21)))).status == HTTPStatus.OK


async def test_wrong_field_is_a_problem(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """An invalid field raises the repair issue, as in a legacy report."""
    for _ in range(3):
        await signed.report(reading(1, field=10))
    assert issues(hass) == [("invalid_field", "Outdoor")]


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "temperature"}}}])
async def test_refused_reading(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """An impossible reading is named, and the others are taken."""
    answer = await signed.report(
        reading(20), reading(1001), reading(21), stream="9f3a1c22", first=4711
    )
    assert (answer.status, answer.is_believed) == (HTTPStatus.OK, True)
    assert answer.content == taken(
        2,
        {
            "number": 4712,
            "reason": "data_out_of_range",
            "message": "data is not between -273.15 and 1000 °C, so the sensor cannot"
            " have measured it.",
        },
        stored=4713,
    )
    assert state_of(hass, "1") == "21.0"


async def test_errors_are_signed(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A refusal is signed if the report was, and only then."""
    await signed.post(b"")
    body = b"{}"
    headers = OUTDOOR.headers(body, signed.nonce)
    answer = await signed.post(body, headers)
    assert answer.content == {
        "error": "invalid_report",
        "message": "The report needs a mac and a list of readings.",
    }
    assert (answer.status, answer.is_believed) == (HTTPStatus.BAD_REQUEST, True)

    await hass.config_entries.async_unload(station.entry_id)
    answer = await signed.post(body)
    assert (answer.status, answer.is_believed) == (503, True)
    assert answer.content["error"] == "not_ready"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x"])
async def test_encoded_body(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    encoding: str,
) -> None:
    """An encoded body is refused with a reason, not as a wrong signature."""
    body = gzip.compress(signed.body(reading(20)))
    headers = OUTDOOR.headers(body, signed.nonce) | {"Content-Encoding": encoding}
    answer = await signed.post(body, headers)
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert answer.text == (
        "The body is encoded. Send it as it is, without Content-Encoding."
    )


async def test_too_large(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A body that is too large for a report is not read to its end."""
    answer = await signed.post(b" " * 70_000)
    assert (answer.status, answer.text) == (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The report has more than 65536 bytes.",
    )
    full = [reading(-123.4567, 604799.123, 9)] * 500
    assert (await signed.report(*full)).status == HTTPStatus.OK


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, method: str
) -> None:
    """Other methods than POST are refused, with the right one."""
    answer = await get(SIGNED_PATH, method=method)
    assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == "POST"
    if method != "HEAD":
        assert json.loads(answer.text) == {
            "error": "method_not_allowed",
            "message": "Only POST is allowed here.",
        }


async def test_not_ready(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
) -> None:
    """While readings could be lost, none is taken; afterwards they are."""
    await signed.post(b"")
    body = signed.body(reading(21))

    hass.set_state(CoreState.stopping)
    answers = [await signed.post(body)]
    hass.set_state(CoreState.running)
    await hass.config_entries.async_set_disabled_by(
        station.entry_id, ConfigEntryDisabler.USER
    )
    answers.append(await signed.post(body))
    signed.signer = Signer(OUTDOOR.mac, "wrong")
    _assert_unauthorized(await signed.post(body))
    signed.signer = OUTDOOR
    await hass.config_entries.async_set_disabled_by(station.entry_id, None)

    for answer in answers:
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
    assert entity_id(hass, "1") is None
    assert (await signed.post(body)).status == HTTPStatus.OK


async def test_not_ready_after_restart(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """Until a 401 has told the station of the restart, answers bring its old nonce.

    Otherwise it would skip readings that were taken but not stored.
    """
    await signed.report(reading(20), stream="9f3a1c22", first=1)
    old = signed.nonce
    hass.data[DATA].nonces = Nonces()

    journal = hass.data[DATA].journal
    with patch.object(type(journal), "is_behind", new=True):
        answer = await signed.post(signed.body())
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.is_believed
    assert signed.nonce == old
    _assert_unauthorized(await signed.post(signed.body()), believed=True)
    assert (await signed.post(signed.body())).status == HTTPStatus.OK


async def test_at_the_same_time(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """Of the same report sent many times at once, only one is taken."""
    await signed.post(b"")
    body = signed.body(reading(21))
    headers = OUTDOOR.headers(body, signed.nonce)
    answers = await asyncio.gather(*(signed.post(body, headers) for _ in range(5)))

    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]


async def test_first_reports_at_the_same_time(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation, get: Get
) -> None:
    """A legacy and a signed report of the same new field are both taken."""
    await signed.post(b"")
    answers = await asyncio.gather(
        get(legacy_url("20")), signed.post(signed.body(reading(21))), get(legacy_url())
    )
    assert {answer.status for answer in answers} == {HTTPStatus.OK}


async def test_pairing(
    hass: HomeAssistant, client: TestClient[Any, Any], signed: SignedStation
) -> None:
    """A station that signs with the key of a pairing is found with its MAC."""
    flow = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": "pair"}
    )
    assert flow["description_placeholders"] is not None
    key = json.loads(flow["description_placeholders"]["config"])["key"]
    _assert_unauthorized(await signed.post(signed.body(reading(21))))
    signed.signer = Signer("not a MAC", key)
    answer = await signed.post(signed.body(reading(21)))
    assert answer.status == HTTPStatus.BAD_REQUEST

    signed.signer = Signer("5c-cf-7f-2b-0e-a8", key)
    answer = await signed.post(signed.body(reading(21)))
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    await hass.async_block_till_done()

    flow = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert flow["step_id"] == "name"
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"name": "New", "place": "outside", "kind_1": "temperature"}
    )
    assert flow["result"].unique_id == "5c:cf:7f:2b:0e:a8"
    assert (await signed.post(signed.body(reading(21)))).status == HTTPStatus.OK


async def _offered(hass: HomeAssistant) -> list[str | None]:
    """Return the MACs of the stations that were discovered by their reports."""
    await follow_up(hass)
    return [
        flow["context"]["unique_id"]
        for flow in hass.config_entries.flow.async_progress_by_handler(
            DOMAIN, match_context={"source": SOURCE_INTEGRATION_DISCOVERY}
        )
    ]


async def test_discovered_by_its_key(
    hass: HomeAssistant, station: MockConfigEntry, signed: SignedStation
) -> None:
    """A station with the key of another one is discovered; others are not."""
    for signer in (
        Signer(INDOOR.mac, "PHDNGI2346"),
        Signer("not a MAC", KEY),
        Signer(OUTDOOR.mac, "PHDNGI2346"),
    ):
        signed.signer = signer
        _assert_unauthorized(await signed.report(reading(21)))
    assert await _offered(hass) == []

    signed.signer = INDOOR
    for _ in range(2):
        _assert_unauthorized(await signed.report(reading(21)))
    assert await _offered(hass) == [INDOOR.mac]


async def test_key_is_not_logged(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the key nor anything derived from it is logged."""
    caplog.set_level("DEBUG")
    await signed.report(reading(21))
    signed.signer = Signer(OUTDOOR.mac, f"{KEY}x")
    await signed.report(reading(21))

    assert KEY not in caplog.text


def _library_headers(
    body: bytes, nonce: str, components: tuple[str, ...]
) -> dict[str, str]:
    """Return the headers of a report that the library has signed."""
    message = SimpleNamespace(
        method="POST",
        url=f"http://home.example{SIGNED_PATH}",
        headers={"Content-Digest": ContentDigest.create(body)},
    )
    HTTPMessageSigner(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(
            private_keys={OUTDOOR.mac: KEY.encode()}, public_keys={}
        ),
    ).sign(
        message,
        key_id=OUTDOOR.mac,
        nonce=nonce,
        covered_component_ids=components,
        use_existing_digest=True,
    )
    headers: dict[str, str] = message.headers
    return headers


COMPONENTS = ("@method", "@path", "content-digest")


@pytest.mark.parametrize("missing", [None, *COMPONENTS])
async def test_library(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    missing: str | None,
) -> None:
    """A client that uses the library can report if it signs all components."""
    await signed.post(b"")
    body = signed.body(reading(21))
    components = tuple(each for each in COMPONENTS if each != missing)
    headers = _library_headers(body, signed.nonce, components)

    answer = await signed.post(body, headers)

    if missing:
        _assert_unauthorized(answer)
    else:
        assert (answer.status, answer.content) == (HTTPStatus.OK, taken(1))
