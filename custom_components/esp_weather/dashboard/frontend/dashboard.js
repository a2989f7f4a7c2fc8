/** The dashboard's views, made of Home Assistant's own cards. */

import { adviceCard, todayCards } from "./advice.js";
import { groupNear, loadPast, scaleOf } from "./past.js";
import { DOMAIN, readStations } from "./stations.js";

export const DEFAULTS = { hours: 24, days: 30, diagnostics: true };
const MAX_COLUMNS = 4;
const FULL_WIDTH = { columns: "full" };
const LOW_BATTERY = 20; // percent
const DAYS_BY_HOUR = 2; // so many days of statistics show each hour

const heading = (text, icon, rest = {}) => ({
  type: "heading",
  heading: text,
  icon,
  ...rest,
});

const navigate = (navigation_path) => ({
  tap_action: { action: "navigate", navigation_path },
});

/** Name an entity without its station, but with its area if that differs. */
const nameIn = (device, { area_id }) => [
  { type: "entity" },
  ...(area_id && area_id !== device.area_id ? [{ type: "area" }] : []),
];

const stationHeading = ({ device, name, area, icon }) =>
  heading(
    area && area.toLowerCase() !== name.toLowerCase() ? `${name} · ${area}` : name,
    icon,
    navigate(`/config/devices/device/${device.id}`)
  );

const historyGraph = (entities, hours) => ({
  type: "history-graph",
  entities,
  hours_to_show: hours,
  grid_options: FULL_WIDTH,
});

/** Return the function that adds a short name to an entity of a graph. */
const namesOf = (stations, advices) => {
  const names = Object.fromEntries([
    ...stations.flatMap(({ name, temperature }) =>
      temperature ? [[temperature, name]] : []
    ),
    ...advices.map(({ inside, room }) => [inside, room]),
  ]);
  return (entity) => ({ entity, ...(names[entity] && { name: names[entity] }) });
};

/** A field: its value, when it was last reported, and its course. */
const fieldCard = (device, entity, limits, hours) => ({
  type: "entities",
  entities: [
    {
      entity: entity.entity_id,
      name: nameIn(device, entity),
      secondary_info: "last-updated",
    },
  ],
  ...(limits && {
    footer: {
      type: "graph",
      entity: entity.entity_id,
      hours_to_show: hours,
      detail: 2,
      limits,
    },
  }),
});

const stationSection = (hass, text, station, { past, scale, hours }) => ({
  type: "grid",
  cards: [
    stationHeading(station),
    ...todayCards(hass, text, station.temperature, past),
    ...station.fields.map((entity) =>
      fieldCard(station.device, entity, scale[entity.entity_id], hours)
    ),
    ...(station.isEmpty ? [{ type: "markdown", content: text("no_fields") }] : []),
  ],
});

const diagnosticsSection = (station) => ({
  type: "grid",
  cards: [
    stationHeading(station),
    ...station.diagnostics.map((entity) => ({
      type: "tile",
      entity: entity.entity_id,
      name: nameIn(station.device, entity),
      // Home Assistant's own colour of what is connected looks like a warning.
      ...(entity.entity_id === station.connectivity && { color: "green" }),
    })),
  ],
});

/** Badges of current problems: a station that no longer reports, a low battery. */
const troubleBadges = (text, { name, isEmpty, connectivity, battery }) => [
  ...(connectivity && !isEmpty
    ? [
        {
          type: "entity",
          entity: connectivity,
          name: text("silent", { station: name }),
          show_name: true,
          state_content: ["last_changed"],
          icon: "mdi:access-point-off",
          visibility: [{ condition: "state", entity: connectivity, state: "off" }],
        },
      ]
    : []),
  ...(battery
    ? [
        {
          type: "entity",
          entity: battery,
          name,
          show_name: true,
          color: "red",
          visibility: [
            { condition: "numeric_state", entity: battery, below: LOW_BATTERY },
          ],
        },
      ]
    : []),
];

const noStationsSection = (text) => ({
  type: "grid",
  cards: [
    { type: "markdown", content: text("no_stations"), grid_options: FULL_WIDTH },
    {
      type: "button",
      name: text("add_station"),
      icon: "mdi:plus",
      ...navigate(`/config/integrations/dashboard/add?domain=${DOMAIN}`),
      grid_options: { ...FULL_WIDTH, rows: 2 },
    },
  ],
});

/** The advice, and the graphs that it is based on. */
const answerCards = (hass, text, { stations, advices, compared, hours }) => [
  ...advices.map((advice) => ({
    ...adviceCard(hass, text, advice),
    grid_options: { columns: advices.length > 1 ? 12 : "full" },
  })),
  ...(advices.length || stations.length < 2
    ? []
    : [
        {
          type: "markdown",
          content: text("no_places"),
          ...navigate(`/config/integrations/integration/${DOMAIN}`),
          grid_options: FULL_WIDTH,
        },
      ]),
  ...(compared.length
    ? [
        heading(text("history", { hours }), "mdi:chart-line"),
        historyGraph(compared, hours),
      ]
    : []),
];

const statisticsCards = (text, groups, days) =>
  groups.length
    ? [
        heading(text("statistics", { days }), "mdi:chart-bell-curve-cumulative"),
        ...groups.map((group) => ({
          type: "statistics-graph",
          entities: group,
          days_to_show: days,
          period: days > DAYS_BY_HOUR ? "day" : "hour",
          stat_types: ["min", "mean", "max"],
          grid_options: group.length > 1 ? FULL_WIDTH : { columns: 12 },
        })),
      ]
    : [];

/** Return the configuration of the dashboard, and what it was made from. */
export const makeDashboard = async (hass, text, options) => {
  const { hours, days, diagnostics } = { ...DEFAULTS, ...options };
  const { stations, outside, advices } = readStations(hass, options);
  const title = text("title");
  if (!stations.length) {
    const sections = [noStationsSection(text)];
    return { config: { views: [{ title, type: "sections", sections }] }, basis: null };
  }

  const fields = stations.flatMap((station) => station.fields);
  const past = await loadPast(
    hass,
    fields.map(({ entity_id }) => entity_id),
    stations.map(({ temperature }) => temperature).filter(Boolean),
    hours
  );
  const context = { past, scale: scaleOf(hass, fields, past.ranges), hours };

  // The first graph is of what is compared or, without an advice, of most temperatures.
  const answered = advices.length
    ? [outside, ...advices.map(({ inside }) => inside)].filter(Boolean)
    : [];
  const near = groupNear(
    hass,
    fields
      .filter(({ quantity }) => quantity === "temperature")
      .map(({ entity_id }) => entity_id)
      .filter((entityId) => !answered.includes(entityId)),
    past.ranges
  );
  const name = namesOf(stations, advices);
  const [compared = [], ...rest] = (answered.length ? [answered, ...near] : near).map(
    (group) => group.map(name)
  );

  const isEmpty = (station) => station.isEmpty;
  const isOther = (station) =>
    answered.length > 0 && station.place === "other" && !isEmpty(station);
  const others = stations.filter(isOther);
  const max_columns = Math.min(Math.max(stations.length, 2), MAX_COLUMNS);
  const wide = (cards, column_span = max_columns) =>
    cards.length ? [{ type: "grid", column_span, cards }] : [];
  const sectionsOf = (shown) =>
    shown.map((station) => stationSection(hass, text, station, context));

  const main = {
    title,
    type: "sections",
    max_columns,
    badges: stations.flatMap((station) => troubleBadges(text, station)),
    sections: [
      ...wide(
        answerCards(hass, text, { stations, advices, compared, hours }),
        // A station that is alone stands beside its graph.
        stations.length > 1 ? max_columns : 1
      ),
      ...sectionsOf(
        stations.filter((station) => !isOther(station) && !isEmpty(station))
      ),
      ...wide([
        ...(others.length
          ? [heading(text("others"), "mdi:home-thermometer-outline")]
          : []),
        // One that is alone has its course among its fields.
        ...rest
          .filter((group) => group.length > 1)
          .map((group) => historyGraph(group, hours)),
      ]),
      ...sectionsOf(others),
      ...sectionsOf(stations.filter(isEmpty)),
      ...wide(statisticsCards(text, compared.length ? [compared, ...rest] : [], days)),
    ],
  };
  const second = {
    title: text("diagnostics"),
    path: "diagnostics",
    type: "sections",
    max_columns,
    sections: stations.map(diagnosticsSection),
  };
  return {
    config: { views: [main, ...(diagnostics ? [second] : [])] },
    basis: {
      ...past,
      advices: stations.flatMap(({ advice }) =>
        advice ? [{ windows: advice.windows, named: advice }] : []
      ),
    },
  };
};
