/** The recorder's statistics for the dashboard. */

const HOUR = 3600 * 1000;
/** The smallest range of a small graph, so that it does not magnify noise. */
const LEAST_SPANS = { "°C": 5, "°F": 9, K: 5, "%": 10, hPa: 5 };
/** What is this far from the rest gets a graph of its own: a freezer. */
const GAPS = { "°C": 15, "°F": 27, K: 15 };

/** Return the day of a time on Home Assistant's clock, such as 2026-07-01. */
export const dayOf = (hass, time) =>
  new Intl.DateTimeFormat("en-CA", { timeZone: hass.config.time_zone }).format(time);

/**
 * Return the range of each of the entities in the last hours, and today's lowest and
 * highest of the `daily` ones with their times.
 */
export const loadPast = async (hass, entities, daily, hours) => {
  const now = Date.now();
  const today = dayOf(hass, now);
  const [hourly, recent] = await Promise.all([
    statistics(hass, entities, "hour", now - hours * HOUR),
    statistics(hass, daily, "5minute", now - 24 * HOUR),
  ]);
  const ranges = {};
  for (const [entityId, rows] of [
    ...Object.entries(hourly),
    ...Object.entries(recent),
  ]) {
    const known = ranges[entityId] ?? { low: Infinity, high: -Infinity };
    ranges[entityId] = {
      low: Math.min(known.low, ...rows.map(({ min }) => min)),
      high: Math.max(known.high, ...rows.map(({ max }) => max)),
    };
  }
  const extremes = {};
  for (const [entityId, rows] of Object.entries(recent)) {
    const ofToday = rows.filter(({ start }) => dayOf(hass, start) === today);
    if (ofToday.length) {
      const lowest = ofToday.reduce((one, other) =>
        other.min < one.min ? other : one
      );
      const highest = ofToday.reduce((one, other) =>
        other.max > one.max ? other : one
      );
      extremes[entityId] = {
        low: lowest.min,
        low_at: lowest.start / 1000,
        high: highest.max,
        high_at: highest.start / 1000,
      };
    }
  }
  return { today, ranges, extremes };
};

/** Return the rows of each entity that has any; none if there is no recorder. */
const statistics = async (hass, entities, period, start) => {
  if (!entities.length || !hass.config.components.includes("recorder")) {
    return {};
  }
  const found = await hass.callWS({
    type: "recorder/statistics_during_period",
    start_time: new Date(start).toISOString(),
    statistic_ids: entities,
    period,
    types: ["min", "max"],
  });
  return Object.fromEntries(
    Object.entries(found)
      .map(([entityId, rows]) => [
        entityId,
        rows.filter(({ min, max }) => min !== null && max !== null),
      ])
      .filter(([, rows]) => rows.length)
  );
};

const unitOf = (hass, entityId) =>
  hass.states[entityId]?.attributes.unit_of_measurement ?? "";

/** Return the range of an entity, at least its state, or null if it has none. */
const rangeOf = (hass, ranges, entityId) => {
  const state = Number.parseFloat(hass.states[entityId]?.state);
  const { low = Infinity, high = -Infinity } = ranges[entityId] ?? {};
  return Number.isNaN(state)
    ? ranges[entityId]
      ? { low, high }
      : null
    : { low: Math.min(low, state), high: Math.max(high, state) };
};

/**
 * Return the limits of the small graph of each field that has a past: Home Assistant
 * draws a single value as a slope.
 *
 * The graphs of one quantity have the same height in degrees, percent …, so that equal
 * swings look equal; where each begins is its own, so that a freezer flattens no room.
 */
export const scaleOf = (hass, fields, ranges) => {
  const known = fields.flatMap(({ entity_id, quantity }) => {
    const range = ranges[entity_id] && rangeOf(hass, ranges, entity_id);
    const unit = unitOf(hass, entity_id);
    return range ? [{ entity_id, range, unit, scale: `${quantity} ${unit}` }] : [];
  });
  const spans = {};
  for (const { range, unit, scale } of known) {
    spans[scale] = Math.max(
      spans[scale] ?? LEAST_SPANS[unit] ?? 0,
      range.high - range.low
    );
  }
  return Object.fromEntries(
    known
      .filter(({ scale }) => spans[scale] > 0)
      .map(({ entity_id, range, scale }) => {
        const middle = (range.low + range.high) / 2;
        return [
          entity_id,
          { min: middle - spans[scale] / 2, max: middle + spans[scale] / 2 },
        ];
      })
  );
};

/** Return groups of temperatures that are near each other, in the order given. */
export const groupNear = (hass, entities, ranges) => {
  const groups = [];
  const sorted = entities
    .map((entityId) => ({ entityId, range: rangeOf(hass, ranges, entityId) }))
    .sort(
      (one, other) => (one.range?.low ?? Infinity) - (other.range?.low ?? Infinity)
    );
  for (const { entityId, range } of sorted) {
    const group = groups.at(-1);
    const gap = GAPS[unitOf(hass, entityId)] ?? Infinity;
    if (group && (!range || range.low - group.high <= gap)) {
      group.entities.push(entityId);
      group.high = Math.max(group.high, range?.high ?? group.high);
    } else {
      groups.push({ entities: [entityId], high: range?.high ?? Infinity });
    }
  }
  const position = (entityId) => entities.indexOf(entityId);
  return groups
    .map((group) =>
      group.entities.sort((one, other) => position(one) - position(other))
    )
    .sort(
      (one, other) => other.length - one.length || position(one[0]) - position(other[0])
    );
};
