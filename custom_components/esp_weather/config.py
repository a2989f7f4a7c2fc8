"""The configuration of a station: what its config entry says, typed."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
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
    CONF_WINDOWS,
    DEFAULT_LEGACY,
    DEFAULT_TIMEOUT,
    DOMAIN,
)
from .field import KINDS, NUMBER, TEMPERATURE, Field, guess_kind, make_field
from .protocol.readings import FIELDS, Declaration

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
    """The entry data and options of a station.

    `timeout` is the inactivity timeout in seconds, 0 for never. `fields` are those
    that the user, the station or a guess has described. `unexplained` are values of
    guessed fields that do not fit the guess, so that the user is asked about them.
    `unknown` names what this version does not know, since a newer one wrote it, and
    which became the default.
    """

    mac: str
    key: str
    name: str
    timeout: float
    legacy: bool
    archive: bool
    place: Place | None
    windows: Mapping[str, Any]
    fields: Mapping[int, Field]
    unexplained: Mapping[int, float]
    unknown: Sequence[str]
    _chosen: Mapping[int, Mapping[str, Any]]

    @classmethod
    def from_entry(cls, entry: ConfigEntry[Any]) -> Self:
        """Return the configuration of a config entry."""
        unknown: list[str] = []
        options = _valid(entry.options, _OPTIONS, "", unknown)
        known = _valid_fields(entry.data, unknown)
        chosen = _valid_fields(entry.options, unknown)
        fields: dict[int, Field] = {}
        # In the order in which they became known: the first of a kind is not numbered.
        for number in dict.fromkeys([*known, *chosen]):
            field = _field(
                number,
                known.get(number, {}),
                chosen.get(number, {}),
                {field.kind_name for field in fields.values()},
            )
            # None if the user has only set the calibration of a field that has not reported.
            if field is not None:
                fields[number] = field
        place = options.get(CONF_PLACE)
        return cls(
            mac=entry.data[CONF_MAC],
            key=entry.data[CONF_API_KEY],
            name=entry.title,
            timeout=60.0 * options.get(CONF_TIMEOUT, DEFAULT_TIMEOUT),
            legacy=options.get(CONF_LEGACY, DEFAULT_LEGACY),
            archive=options.get(CONF_ARCHIVE, False),
            place=None if place is None else Place(place),
            windows=options.get(CONF_WINDOWS, {}),
            fields=fields,
            unexplained={
                number: settings[CONF_VALUE]
                for number, settings in known.items()
                if CONF_VALUE in settings and fields[number].is_guessed
            },
            unknown=unknown,
            _chosen=chosen,
        )

    def guess_field(self, number: int, value: float) -> Field:
        """Return a field that nobody has described, guessed from a first value."""
        field = _field(number, guess_settings(value), self._chosen.get(number, {}))
        assert field is not None
        return field


def mac_of(entry: ConfigEntry[Any]) -> str:
    """Return the MAC of a config entry's station."""
    mac: str = entry.data[CONF_MAC]
    return mac


def key_of(entry: ConfigEntry[Any]) -> bytes:
    """Return the key of a config entry's station; an ignored one has none."""
    key: str = entry.data.get(CONF_API_KEY, "")
    return key.encode()


def accepts_unsigned(entry: ConfigEntry[Any]) -> bool:
    """Return whether the station of a config entry may send its key."""
    accepts: bool = entry.options.get(CONF_LEGACY, DEFAULT_LEGACY)
    return accepts


def place_of(entry: ConfigEntry[Any]) -> Place | None:
    """Return where the station of a config entry is, as far as this version knows."""
    place = entry.options.get(CONF_PLACE)
    return Place(place) if place in list(Place) else None


def known_settings(entry: ConfigEntry[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return what is stored of the fields that have reported or are declared."""
    known: Mapping[str, Mapping[str, Any]] = entry.data[CONF_FIELDS]
    return known


def data_with_fields(
    entry: ConfigEntry[Any], changed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the data of an entry with the changed settings of some fields."""
    return {**entry.data, CONF_FIELDS: {**known_settings(entry), **changed}}


def _is_number(value: Any) -> bool:
    # bool is a subclass of int.
    return type(value) in (int, float) and isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# Validators of the options and of the settings of a field
_OPTIONS: Final[Mapping[str, Callable[[Any], bool]]] = {
    CONF_ARCHIVE: lambda value: isinstance(value, bool),
    CONF_LEGACY: lambda value: isinstance(value, bool),
    CONF_PLACE: lambda value: value in list(Place),
    CONF_TIMEOUT: lambda value: _is_number(value) and value >= 0,
    CONF_WINDOWS: lambda value: isinstance(value, Mapping),
}
_SETTINGS: Final[Mapping[str, Callable[[Any], bool]]] = {
    CONF_KIND: lambda value: _is_text(value) and value in KINDS,
    CONF_DECLARED: lambda value: isinstance(value, bool),
    CONF_NAME: _is_text,
    CONF_OFFSET: _is_number,
    CONF_UNIT_OF_MEASUREMENT: _is_text,
    CONF_VALUE: _is_number,
}
# Field numbers are strings in an entry, which is stored as JSON.
_NUMBERS: Final = {str(number): number for number in FIELDS}


def _valid(
    settings: Any,
    checks: Mapping[str, Callable[[Any], bool]],
    where: str,
    unknown: list[str],
) -> dict[str, Any]:
    """Return the valid settings, and add the others to `unknown`."""
    if not isinstance(settings, Mapping):
        unknown.append(f"{where}{settings!r}")
        return {}
    valid: dict[str, Any] = {}
    for key, is_valid in checks.items():
        if (value := settings.get(key)) is None:
            continue
        if is_valid(value):
            valid[key] = value
        else:
            unknown.append(f"{where}{key} {value!r}")
    return valid


def _valid_fields(
    container: Mapping[str, Any], unknown: list[str]
) -> dict[int, dict[str, Any]]:
    """Return the valid settings of all fields of entry data or options.

    A field of an unknown kind is a plain number, and so is one in a unit that is
    none of its kind.
    """
    stored = container.get(CONF_FIELDS, {})
    if not isinstance(stored, Mapping):
        unknown.append(f"{CONF_FIELDS} {stored!r}")
        return {}
    fields: dict[int, dict[str, Any]] = {}
    for text, settings in stored.items():
        where = f"field {text}: "
        if text not in _NUMBERS:
            unknown.append(f"{where}{settings!r}")
            continue
        valid = _valid(settings, _SETTINGS, where, unknown)
        fields[_NUMBERS[text]] = valid
        if isinstance(settings, Mapping) and settings.get(CONF_KIND) is not None:
            kind = valid.setdefault(CONF_KIND, NUMBER)
            unit = valid.get(CONF_UNIT_OF_MEASUREMENT)
            if unit and kind != NUMBER and unit not in KINDS[kind].units:
                unknown.append(f"{where}{CONF_UNIT_OF_MEASUREMENT} {unit!r} of {kind}")
                valid[CONF_KIND] = NUMBER
    return fields


def _field(
    number: int,
    known: Mapping[str, Any],
    chosen: Mapping[str, Any],
    kinds: Container[str] = (),
) -> Field | None:
    """Return a field of valid settings, or None if nothing says what it measures.

    `known` is what the station has declared or a guess; what the user has `chosen`
    wins. A unit belongs to the kind that it was declared or chosen for.
    """
    settings = {**known, **chosen}
    if (kind := settings.get(CONF_KIND)) is None:
        return None
    unit = settings.get(CONF_UNIT_OF_MEASUREMENT)
    if kind != known.get(CONF_KIND):
        unit = chosen.get(CONF_UNIT_OF_MEASUREMENT)
    elif unit and kind != NUMBER and unit not in KINDS[kind].units:
        unit = known.get(CONF_UNIT_OF_MEASUREMENT)
    return make_field(
        number,
        kind,
        name=settings.get(CONF_NAME) or None,
        unit=unit or None,
        offset=settings.get(CONF_OFFSET, 0.0),
        is_numbered=kind in kinds,
        is_guessed=not (CONF_KIND in chosen or known.get(CONF_DECLARED)),
    )


def guess_settings(value: float) -> dict[str, Any]:
    """Return the settings to store for a field that nobody has described."""
    kind = guess_kind(value)
    # The user is shown the value and asked what the field measures.
    return {CONF_KIND: kind, CONF_VALUE: value} if kind == NUMBER else {CONF_KIND: kind}


@callback
def async_complete_fields(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Store settings for the fields that have an entity but no settings yet.

    Version 1.1 stored nothing of a field that the options did not describe: it was a
    temperature. It may have been reinstalled in between.
    """
    registry = er.async_get(hass)
    config = StationConfig.from_entry(entry)
    stored = entry.data.get(CONF_FIELDS)
    known = {
        number: settings
        for number, settings in (stored if isinstance(stored, Mapping) else {}).items()
        if isinstance(settings, Mapping)
    }
    missing = {
        str(number): {} if number in config.fields else {CONF_KIND: TEMPERATURE}
        for number in FIELDS
        if str(number) not in known
        and registry.async_get_entity_id(
            SENSOR_DOMAIN, DOMAIN, f"{config.mac}_{number}"
        )
    }
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_FIELDS: {**known, **missing}}
    )


def declared_settings(
    declarations: Mapping[int, Declaration],
) -> dict[str, dict[str, Any]]:
    """Return the declaration of a station as it is stored in the entry data."""
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
    entry: ConfigEntry[Any], number: int, entered: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the user has entered for a field as it is stored in the options.

    What equals the declaration or the guess is left out, so that the station may
    declare another kind later. What the station has declared and the user has cleared
    is stored as an empty string. The kind "number" is always stored, so that the user
    is not asked again.
    """
    before: Mapping[str, Any] = entry.data[CONF_FIELDS].get(str(number), {})
    kind = entered.get(CONF_KIND)
    is_known = kind == before.get(CONF_KIND)
    declared_unit = before.get(CONF_UNIT_OF_MEASUREMENT) if is_known else None
    usual_unit = declared_unit or (next(iter(KINDS[kind].units), "") if kind else "")
    unit = entered.get(CONF_UNIT_OF_MEASUREMENT, "")
    name = entered.get(CONF_NAME, "")
    chosen: dict[str, Any] = {}
    if kind and (not is_known or CONF_VALUE in before):
        chosen[CONF_KIND] = kind
    if unit != usual_unit and (unit or declared_unit):
        chosen[CONF_UNIT_OF_MEASUREMENT] = unit
    if name != (before.get(CONF_NAME) or ""):
        chosen[CONF_NAME] = name
    if offset := entered.get(CONF_OFFSET):
        chosen[CONF_OFFSET] = offset
    return chosen
