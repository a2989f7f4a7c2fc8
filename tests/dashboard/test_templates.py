"""The dashboard's templates, rendered by Home Assistant."""

from datetime import UTC, datetime, timedelta
import json
import re
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

from .helpers import run_node

NOW = datetime(2026, 7, 1, 18, 42, 10, tzinfo=UTC)
OUTSIDE = "sensor.outdoor_temperature"
INSIDE = "sensor.living_temperature"

type Cards = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def cards() -> Cards:
    """Return the cards of a house in each language."""
    printed = run_node("cards.js")
    assert printed.returncode == 0, printed.stderr
    return json.loads(printed.stdout)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
async def _set_up(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to(NOW)


def render(hass: HomeAssistant, config: dict[str, Any]) -> str:
    """Return a card's text as the browser would get it."""
    rendered = Template(config["content"], hass).async_render(
        {"config": config, "user": "Developer"}, parse_result=False, strict=True
    )
    assert isinstance(rendered, str)
    return rendered


def lines(rendered: str) -> list[str]:
    """Return the kind of the alert, its title and its lines."""
    found = re.fullmatch(
        r'<ha-alert alert-type="(\w+)" title="([^"]*)">\n'
        r"<big><b>(.*)</b></big><br>(.*)\n</ha-alert>",
        rendered,
    )
    assert found is not None, rendered
    return list(found.groups())


def temperature(
    hass: HomeAssistant, entity_id: str, value: float | str, unit: str = "°C"
) -> None:
    """Set a temperature."""
    hass.states.async_set(entity_id, str(value), {"unit_of_measurement": unit})


def advise(
    hass: HomeAssistant,
    advice: str,
    outside: float | str,
    inside: float | str,
    change: float | None = None,
) -> None:
    """Set the sensors of the advice; the next change is in `change` minutes."""
    temperature(hass, OUTSIDE, outside)
    temperature(hass, INSIDE, inside)
    hass.states.async_set(
        "sensor.living_windows", advice, {"inside": INSIDE, "outside": OUTSIDE}
    )
    known = isinstance(outside, float) and isinstance(inside, float)
    hass.states.async_set(
        "sensor.living_outside_difference",
        str(outside - inside) if known else "unknown",  # type: ignore[operator]
    )
    hass.states.async_set(
        "sensor.living_next_change",
        "unknown" if change is None else (NOW + timedelta(minutes=change)).isoformat(),
    )


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            [
                "Open the windows: 3.2° cooler outside",
                "18.1 °C outside, 21.3 °C inside",
            ],
        ),
        (
            "de",
            ["Fenster öffnen: draußen 3,2° kühler", "18,1 °C draußen, 21,3 °C drinnen"],
        ),
        (
            "es",
            [
                "Abre las ventanas: 3,2° más fresco fuera",
                "18,1 °C fuera, 21,3 °C dentro",
            ],
        ),
        (
            "fr",
            [
                "Ouvrez les fenêtres : 3,2° de moins dehors",
                "18,1 °C dehors, 21,3 °C dedans",
            ],
        ),
    ],
)
def test_open(
    hass: HomeAssistant, cards: Cards, language: str, texts: list[str]
) -> None:
    """Open is green, in the user's language and number format."""
    advise(hass, "open", 18.1, 21.3)

    assert lines(render(hass, cards[language]["advice"])) == [
        "success",
        "&lt;Living&gt; &amp; more",
        *texts,
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        # 40 minutes from 20:42 in Berlin, rounded
        ("en", "Cooler in about 40 min (9:20 PM)"),
        ("de", "Kühler in etwa 40 min (21:20)"),
        ("es", "Más fresco en 40 min aprox. (21:20)"),
        ("fr", "Plus frais dans environ 40 min (21:20)"),
    ],
)
def test_close(hass: HomeAssistant, cards: Cards, language: str, text: str) -> None:
    """Keep closed is amber and says until when."""
    advise(hass, "close", 26.5, 24.0, 41)

    kind, _, _, then = lines(render(hass, cards[language]["advice"]))
    assert kind == "warning"
    assert then == text


@pytest.mark.parametrize(
    ("advice", "outside", "change", "text"),
    [
        ("close", 26.0, 5, "Cooler any minute"),
        ("close", 26.0, -9, "Cooler any minute"),
        ("close", 26.0, -11, "26.0 °C outside, 24.0 °C inside"),
        ("close", 26.0, 70, "Cooler in about 70 min (9:50 PM)"),
        ("close", 26.0, 200, "Cooler in about 3 h (12:00 AM)"),
        ("open", 20.0, 690, "Warmer in about 11 h (8:10 AM)"),
        ("open", 20.0, 2, "Warmer any minute"),
        ("either", 20.0, 200, "Warmer in about 3 h (12:00 AM)"),
        ("either", 28.0, 200, "Cooler in about 3 h (12:00 AM)"),
        ("unknown", 28.0, 200, "28.0 °C outside, 24.0 °C inside"),
    ],
)
def test_next_change(
    hass: HomeAssistant,
    cards: Cards,
    advice: str,
    outside: float,
    change: float,
    text: str,
) -> None:
    """The next change is rounded: it is not known to the minute."""
    advise(hass, advice, outside, 24.0, change)

    assert lines(render(hass, cards["en"]["advice"]))[3] == text


@pytest.mark.parametrize(
    ("advice", "outside", "inside", "kind", "texts"),
    [
        (
            "either",
            14.7,
            22.1,
            "info",
            [
                "No need to open or close: 7.4° cooler outside",
                "14.7 °C outside, 22.1 °C inside",
            ],
        ),
        (
            "either",
            22.1,
            22.1,
            "info",
            [
                "No need to open or close: as warm outside as inside",
                "22.1 °C outside, 22.1 °C inside",
            ],
        ),
        (
            "unknown",
            "unavailable",
            22.1,
            "info",
            ["No advice: a reading is missing", "— outside, 22.1 °C inside"],
        ),
        (
            "unavailable",
            14.7,
            "unknown",
            "info",
            ["No advice: a reading is missing", "14.7 °C outside, — inside"],
        ),
        (
            "close",
            30.0,
            22.0,
            "warning",
            ["Keep closed: 8.0° warmer outside", "30.0 °C outside, 22.0 °C inside"],
        ),
    ],
)
def test_other_advice(
    hass: HomeAssistant,
    cards: Cards,
    advice: str,
    outside: float | str,
    inside: float | str,
    kind: str,
    texts: list[str],
) -> None:
    """Without an advice, the card shows the values that are known."""
    advise(hass, advice, outside, inside)

    found, _, *said = lines(render(hass, cards["en"]["advice"]))
    assert found == kind
    assert said == texts


def test_before_there_is_anything(hass: HomeAssistant, cards: Cards) -> None:
    """The card copes with entities that have no state yet."""
    assert lines(render(hass, cards["en"]["advice"]))[2:] == [
        "No advice: a reading is missing",
        "— outside, — inside",
    ]


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (("°C", "°C"), "3.5° cooler outside"),
        (("°C", "°F"), "No advice: a reading is missing"),
    ],
)
def test_chosen_sensors(
    hass: HomeAssistant, cards: Cards, units: tuple[str, str], text: str
) -> None:
    """For sensors without an advice, the card shows the difference only."""
    temperature(hass, OUTSIDE, 18.0, units[0])
    temperature(hass, "sensor.hall_temperature", 21.5, units[1])

    kind, room, said, values = lines(render(hass, cards["en"]["chosen"]))
    assert (kind, room, said) == ("info", "Hall", text)
    assert values == f"18.0 {units[0]} outside, 21.5 {units[1]} inside"


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 20, "Today 13.5° (5:00 AM) to 26.5° (6:00 AM)"),
        ("de", 20, "Heute 13,5° (05:00) bis 26,5° (06:00)"),
        ("es", 20, "Hoy de 13,5° (05:00) a 26,5° (06:00)"),
        ("fr", 20, "Aujourd’hui de 13,5° (05:00) à 26,5° (06:00)"),
        ("en", "unavailable", "Today 13.5° (5:00 AM) to 26.5° (6:00 AM)"),
        # Reported after the dashboard was generated
        ("de", 30, "Heute 13,5° (05:00) bis 30,0° (20:42)"),
        ("de", 10, "Heute 10,0° (20:42) bis 26,5° (06:00)"),
    ],
)
def test_today(
    hass: HomeAssistant,
    cards: Cards,
    language: str,
    value: float | str,
    text: str,
) -> None:
    """The card has today's minimum and maximum with their times."""
    temperature(hass, OUTSIDE, value)

    assert render(hass, cards[language]["today"]).strip() == text


def test_yesterday(
    hass: HomeAssistant, cards: Cards, freezer: FrozenDateTimeFactory
) -> None:
    """Yesterday's minimum and maximum are not shown as today's."""
    temperature(hass, OUTSIDE, 20)
    freezer.move_to(NOW + timedelta(hours=4))

    assert render(hass, cards["en"]["today"]).strip() == ""
