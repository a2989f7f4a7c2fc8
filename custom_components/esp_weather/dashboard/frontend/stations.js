/** The stations as the dashboard shows them, read from Home Assistant's registries. */

export const DOMAIN = "esp_weather";

/** The sensors that say when to open the windows, by what they are in an advice. */
const ADVICE = {
  windows: "windows",
  outside_difference: "difference",
  next_change: "next",
};
const PLACES = ["outside", "inside", "other"];
const FIRST_QUANTITIES = ["temperature", "humidity"];

export const inNaturalOrder = (one, other) =>
  one.localeCompare(other, undefined, { numeric: true });

const orderOf = (quantity) => {
  const order = FIRST_QUANTITIES.indexOf(quantity);
  return order < 0 ? FIRST_QUANTITIES.length : order;
};

/** Return what an entity measures; a dew point has the device class of a temperature. */
const quantityOf = (hass, { entity_id, translation_key }) =>
  translation_key?.replace(/_numbered$/, "") ??
  hass.states[entity_id]?.attributes.device_class;

/**
 * Return the stations with their visible entities: those outside first, then those
 * inside, the rest and the empty ones, each in the order of the areas.
 *
 * `devices` limits them to these device IDs. `outside`, an entity ID, and `inside`,
 * a list of them, say where sensors are; without, the advice of the stations does.
 */
export const readStations = (hass, { devices = [], outside, inside = [] } = {}) => {
  const ofDevices = new Map();
  for (const entity of Object.values(hass.entities)) {
    const device = hass.devices[entity.device_id];
    if (entity.platform === DOMAIN && device) {
      ofDevices.set(device, [...(ofDevices.get(device) ?? []), entity]);
    }
  }
  const stations = [...ofDevices].map(([device, entities]) =>
    readStation(hass, device, entities)
  );

  const outdoor =
    outside ?? stations.map(({ advice }) => advice?.outside).find(Boolean) ?? null;
  const indoor = inside.length
    ? inside
    : stations.map(({ advice }) => advice?.inside).filter(Boolean);
  const placeOf = ({ fields }) => {
    const has = (entityId) => fields.some(({ entity_id }) => entity_id === entityId);
    return has(outdoor) ? "outside" : indoor.some(has) ? "inside" : "other";
  };
  const areas = Object.keys(hass.areas);
  const rank = ({ device, isEmpty, place }) => [
    isEmpty ? PLACES.length : PLACES.indexOf(place),
    areas.includes(device.area_id) ? areas.indexOf(device.area_id) : areas.length,
  ];

  const shown = stations
    .map((station) => ({ ...station, place: placeOf(station) }))
    .filter(({ device }) => !devices.length || devices.includes(device.id))
    .sort((one, other) => {
      const [place, area] = rank(one);
      const [otherPlace, otherArea] = rank(other);
      return (
        place - otherPlace || area - otherArea || inNaturalOrder(one.name, other.name)
      );
    });
  return {
    stations: shown,
    outside: outdoor,
    advices: readAdvices(hass, shown, outdoor, inside),
  };
};

const isField = ({ entity_id, entity_category, translation_key }) =>
  entity_id.startsWith("sensor.") &&
  !entity_category &&
  !Object.hasOwn(ADVICE, translation_key);

const readStation = (hass, device, all) => {
  const entities = all.filter(({ hidden }) => !hidden);
  const find = (matches) => entities.find(matches)?.entity_id ?? null;
  const deviceClass = ({ entity_id }) =>
    hass.states[entity_id]?.attributes.device_class;
  const area = hass.areas[device.area_id];
  const fields = entities
    .filter(isField)
    .map((entity) => ({ ...entity, quantity: quantityOf(hass, entity) }))
    .sort(
      (one, other) =>
        orderOf(one.quantity) - orderOf(other.quantity) ||
        inNaturalOrder(one.entity_id, other.entity_id)
    );
  return {
    device,
    name: device.name_by_user || device.name || device.id,
    area: area?.name ?? null,
    icon: area?.icon || "mdi:home-thermometer-outline",
    fields,
    isEmpty: !all.some(isField),
    temperature:
      fields.find(({ quantity }) => quantity === "temperature")?.entity_id ?? null,
    diagnostics: entities
      .filter(({ entity_category }) => entity_category)
      .sort((one, other) => inNaturalOrder(one.entity_id, other.entity_id)),
    connectivity: find(
      (entity) =>
        entity.entity_id.startsWith("binary_sensor.") &&
        deviceClass(entity) === "connectivity"
    ),
    battery: find((entity) => deviceClass(entity) === "battery"),
    advice: readAdvice(hass, entities),
  };
};

/** Return the advice of a station that is inside, or null. */
const readAdvice = (hass, entities) => {
  const advice = Object.fromEntries(
    entities
      .filter(({ translation_key }) => Object.hasOwn(ADVICE, translation_key))
      .map(({ entity_id, translation_key }) => [ADVICE[translation_key], entity_id])
  );
  if (!advice.windows) {
    return null;
  }
  const { inside, outside } = hass.states[advice.windows]?.attributes ?? {};
  return { difference: null, next: null, ...advice, inside, outside };
};

/** Return what is compared with outside, a room each; `inside` are the user's choice. */
const readAdvices = (hass, stations, outside, inside) => {
  const advices = stations
    .filter(({ advice }) => advice)
    .map(({ advice, ...station }) => ({
      ...advice,
      inside: advice.inside ?? station.temperature,
      outside: advice.outside ?? outside,
      station,
    }));
  const chosen = inside.length
    ? inside.map(
        (entityId) =>
          advices.find((advice) => advice.inside === entityId) ?? {
            windows: null,
            difference: null,
            next: null,
            inside: entityId,
            outside,
            station: stations.find(({ fields }) =>
              fields.some(({ entity_id }) => entity_id === entityId)
            ),
          }
      )
    : advices;
  const isAlone = (area) =>
    chosen.filter(({ station }) => station?.area === area).length === 1;
  return chosen.map(({ station, ...advice }) => ({
    ...advice,
    room:
      station?.area && isAlone(station.area)
        ? station.area
        : (station?.name ??
          hass.states[advice.inside]?.attributes.friendly_name ??
          advice.inside),
  }));
};
