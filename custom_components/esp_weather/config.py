"""The configuration of a station: what its config entry says, typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import logging
from typing import Any, Final, Self

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import (
    CONF_API_KEY,
    CONF_MAC,
    CONF_NAME,
    CONF_UNIT_OF_MEASUREMENT,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import (
    CONF_ARCHIVE,
    CONF_DECLARED,
    CONF_FIELDS,
    CONF_KIND,
    CONF_LEGACY,
    CONF_OFFSET,
    CONF_PLACE,
    CONF_TIMEOUT,
    CONF_VALUE,
    DEFAULT_LEGACY,
    DEFAULT_TIMEOUT,
    DOMAIN,
)
from .field import KINDS, NUMBER, TEMPERATURE, Field, guess_kind, make_field
from .protocol.readings import FIELDS, Declaration

_LOGGER = logging.getLogger(__name__)

# Entries of a newer minor version can be loaded: what this one does not know of them
# becomes the default.
VERSION: Final = 1
MINOR_VERSION: Final = 2


class Place(StrEnum):
    """Where a station is."""

    OUTSIDE = "outside"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class StationConfig:
    """What entry data and options say of a station.

    `timeout` is the inactivity timeout in seconds, 0 for never. `fields` are those
    that the user, the station or a guess has described. `guessed_numbers` are the
    first values of those that nobody has described and that are no temperatures.
    """

    mac: str
    key: str
    name: str
    timeout: float
    legacy: bool
    archive: bool
    place: Place | None
    fields: Mapping[int, Field]
    guessed_numbers: Mapping[int, float]

    @classmethod
    def from_entry(cls, entry: ConfigEntry[Any]) -> Self:
        """Return the configuration of a config entry.

        What this version does not know, since a newer one wrote it, becomes the
        default and is logged.
        """
        options = entry.options
        place = options.get(CONF_PLACE)
        if place is not None and place not in list(Place):
            _LOGGER.warning("%s: the place %r is not known", entry.title, place)
            place = None
        return cls(
            mac=entry.data[CONF_MAC],
            key=entry.data[CONF_API_KEY],
            name=entry.title,
            timeout=60.0 * options.get(CONF_TIMEOUT, DEFAULT_TIMEOUT),
            legacy=options.get(CONF_LEGACY, DEFAULT_LEGACY),
            archive=options.get(CONF_ARCHIVE, False),
            place=None if place is None else Place(place),
            fields=_fields(entry),
            guessed_numbers={
                int(number): settings[CONF_VALUE]
                for number, settings in entry.data.get(CONF_FIELDS, {}).items()
                if settings.get(CONF_KIND) == NUMBER
                and CONF_VALUE in settings
                and CONF_KIND not in options.get(CONF_FIELDS, {}).get(number, {})
            },
        )


def key_of(entry: ConfigEntry[Any]) -> bytes:
    """Return the key of a config entry's station; an ignored one has none."""
    key: str = entry.data.get(CONF_API_KEY, "")
    return key.encode()


def accepts_unsigned(entry: ConfigEntry[Any]) -> bool:
    """Return whether the station of a config entry may send its key."""
    accepts: bool = entry.options.get(CONF_LEGACY, DEFAULT_LEGACY)
    return accepts


def _fields(entry: ConfigEntry[Any]) -> dict[int, Field]:
    """Return the described fields in the order in which they became known."""
    known: Mapping[str, Mapping[str, Any]] = entry.data.get(CONF_FIELDS, {})
    chosen: Mapping[str, Mapping[str, Any]] = entry.options.get(CONF_FIELDS, {})
    fields: dict[int, Field] = {}
    kinds: set[str] = set()
    # The keys are text, since entries are stored as JSON.
    for number in dict.fromkeys([*known, *chosen]):
        if not number.isdecimal() or int(number) not in FIELDS:
            _LOGGER.warning("%s: there is no field %s", entry.title, number)
            continue
        settings = _merge_settings(known.get(number, {}), chosen.get(number, {}))
        if CONF_KIND not in settings:
            # The user has set the calibration of a field that has not reported yet.
            continue
        field = _field(entry, int(number), settings, kinds)
        fields[field.number] = field
        kinds.add(field.kind_name)
    return fields


def guess_settings(value: float) -> dict[str, Any]:
    """Return what is stored of a field that nobody has described, from a first value."""
    kind = guess_kind(value)
    # The value is shown to the user, who is asked what such a field measures.
    return {CONF_KIND: kind, CONF_VALUE: value} if kind == NUMBER else {CONF_KIND: kind}


def guess_field(entry: ConfigEntry[Any], number: int, value: float) -> Field:
    """Return a field that nobody has described, guessed from a first value."""
    chosen = entry.options.get(CONF_FIELDS, {}).get(str(number), {})
    settings = _merge_settings(guess_settings(value), chosen)
    return _field(entry, number, settings, set())


def _merge_settings(
    known: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of a field: what the user has chosen wins.

    `known` is what the station has declared or a guess. Its unit belongs to its kind.
    """
    settings = {**known, **chosen}
    if CONF_KIND in chosen and chosen[CONF_KIND] != known.get(CONF_KIND):
        settings[CONF_UNIT_OF_MEASUREMENT] = chosen.get(CONF_UNIT_OF_MEASUREMENT)
    return settings


def _field(
    entry: ConfigEntry[Any], number: int, settings: Mapping[str, Any], kinds: set[str]
) -> Field:
    kind = settings[CONF_KIND]
    unit = settings.get(CONF_UNIT_OF_MEASUREMENT) or None
    if kind not in KINDS:
        _LOGGER.warning(
            "%s: field %s is shown as a plain number, because the kind %r is not known",
            entry.title,
            number,
            kind,
        )
        kind = NUMBER
    elif kind != NUMBER and unit is not None and unit not in KINDS[kind].units:
        _LOGGER.warning(
            "%s: field %s is shown as a plain number, because %r is not a unit of"
            " the kind %s",
            entry.title,
            number,
            unit,
            kind,
        )
        kind = NUMBER
    return make_field(
        number,
        kind,
        name=settings.get(CONF_NAME) or None,
        unit=unit,
        offset=settings.get(CONF_OFFSET, 0.0),
        is_numbered=kind in kinds,
    )


@callback
def async_migrate_settings(
    hass: HomeAssistant, entry: ConfigEntry[Any]
) -> dict[str, Any]:
    """Return the data of an entry of version 1.1 as version 1.2 has it.

    Before 1.2 nothing was stored of a field that the options did not describe: it was
    a temperature. The fields that have an entity are known.
    """
    registry = er.async_get(hass)
    mac = entry.data[CONF_MAC]
    known = {
        str(number): {}
        if CONF_KIND in entry.options.get(CONF_FIELDS, {}).get(str(number), {})
        else {CONF_KIND: TEMPERATURE}
        for number in FIELDS
        if registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, f"{mac}_{number}")
    }
    return {**entry.data, CONF_FIELDS: known}


def declared_settings(
    declarations: Mapping[int, Declaration],
) -> dict[str, dict[str, Any]]:
    """Return what a station has declared in the form that entry data has it."""
    return {
        str(number): {
            CONF_DECLARED: True,
            CONF_KIND: declaration.kind,
            CONF_UNIT_OF_MEASUREMENT: declaration.unit,
            CONF_NAME: declaration.name,
        }
        for number, declaration in sorted(declarations.items())
    }


def chosen_settings(
    entry: ConfigEntry[Any], chosen: Mapping[int, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the settings of fields in the form that entry options have them.

    What says the same as the station or a guess is left out, so that the station may
    declare another kind later. Only a plain number stands, since nobody has to be
    asked then what it is.
    """
    known = entry.data.get(CONF_FIELDS, {})
    stored: dict[str, dict[str, Any]] = {}
    for number, settings in chosen.items():
        before = known.get(str(number), {})
        kept = dict(settings)
        kind: str = settings.get(CONF_KIND, "")
        is_known = kind == before.get(CONF_KIND)
        if is_known and CONF_VALUE not in before:
            kept.pop(CONF_KIND, None)
        usual = next(iter(KINDS[kind].units), None) if kind in KINDS else None
        if is_known:
            usual = before.get(CONF_UNIT_OF_MEASUREMENT) or usual
        if kept.get(CONF_UNIT_OF_MEASUREMENT) == usual:
            kept.pop(CONF_UNIT_OF_MEASUREMENT, None)
        if kept.get(CONF_NAME) == before.get(CONF_NAME):
            kept.pop(CONF_NAME, None)
        if kept:
            stored[str(number)] = kept
    return stored
