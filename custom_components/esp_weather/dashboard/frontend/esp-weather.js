/**
 * The dashboard strategy `custom:esp-weather`: all stations with their fields,
 * made of Home Assistant's own cards.
 *
 * Options: `devices`, the device IDs of the stations to show (all if there are
 * none), and `days` of statistics.
 */

// Until then, an older Home Assistant (2026.3) may replace the registry of elements, and
// with it the class of which they are.
await customElements.whenDefined("home-assistant");

const DOMAIN = "esp_weather";
const DEFAULT_DAYS = 30;
const MAX_COLUMNS = 4;
const FULL_WIDTH = { columns: "full" };

/** Return the function that looks up a text of the dashboard, once it is loaded. */
const loadTexts = async (hass) => {
  const localize = await hass.loadBackendTranslation("config_panel", DOMAIN);
  return (key, values) =>
    localize(`component.${DOMAIN}.config_panel.dashboard.${key}`, values);
};

const inNaturalOrder = (one, other) =>
  one.localeCompare(other, undefined, { numeric: true });

const isField = (entity) =>
  entity.entity_id.startsWith("sensor.") && !entity.entity_category;

const isTemperature = (entity) =>
  /^temperature(_|$)/.test(entity.translation_key ?? "");

/** Which of a station's own entities are shown, in this order. */
const STATUS = [
  (entity) => entity.translation_key === "last_report",
  (_entity, deviceClass) => deviceClass === "connectivity",
  (_entity, deviceClass) => deviceClass === "signal_strength",
  (_entity, deviceClass) => deviceClass === "battery",
  (_entity, deviceClass) => deviceClass === "voltage",
];

/** Return the stations with their visible entities, in the order of the areas. */
const stationsOf = (hass, devices = []) => {
  const entities = new Map();
  for (const entity of Object.values(hass.entities)) {
    if (entity.platform === DOMAIN && entity.device_id) {
      const known = entities.get(entity.device_id) ?? [];
      entities.set(entity.device_id, entity.hidden ? known : [...known, entity]);
    }
  }
  const areas = Object.keys(hass.areas);
  const place = ({ area_id }) =>
    areas.includes(area_id) ? areas.indexOf(area_id) : areas.length;

  return [...entities]
    .map(([id, visible]) => ({ device: hass.devices[id], visible }))
    .filter(({ device }) => device && (!devices.length || devices.includes(device.id)))
    .map(({ device, visible }) => ({
      device,
      name: device.name_by_user || device.name,
      fields: visible
        .filter(isField)
        .sort(
          (one, other) =>
            isTemperature(other) - isTemperature(one) ||
            inNaturalOrder(one.entity_id, other.entity_id)
        ),
      status: STATUS.flatMap((matches) =>
        visible.filter(
          (entity) =>
            entity.entity_category &&
            matches(entity, hass.states[entity.entity_id]?.attributes.device_class)
        )
      ),
    }))
    .sort(
      (one, other) =>
        place(one.device) - place(other.device) || inNaturalOrder(one.name, other.name)
    );
};

/** Name an entity without its station, but with its area if that is another one. */
const nameIn = (device, entity) => [
  { type: "entity" },
  ...(entity.area_id && entity.area_id !== device.area_id ? [{ type: "area" }] : []),
];

const stationSection = (hass, text, { device, name, fields, status }) => {
  const area = hass.areas[device.area_id];
  return {
    type: "grid",
    cards: [
      {
        type: "heading",
        heading: area && area.name !== name ? `${name} · ${area.name}` : name,
        icon: area?.icon || "mdi:home-thermometer-outline",
        tap_action: {
          action: "navigate",
          navigation_path: `/config/devices/device/${device.id}`,
        },
      },
      ...(fields.length
        ? fields.map((entity, index) => ({
            type: "sensor",
            entity: entity.entity_id,
            name: nameIn(device, entity),
            graph: "line",
            detail: 2,
            grid_options: {
              rows: 3,
              // The last of an odd number has the whole line.
              columns: fields.length % 2 && index === fields.length - 1 ? 12 : 6,
            },
          }))
        : [{ type: "markdown", content: text("no_fields") }]),
      ...status.map((entity) => ({
        type: "tile",
        entity: entity.entity_id,
        name: nameIn(device, entity),
      })),
    ],
  };
};

const graphSections = (text, temperatures, days, isAlone, columns) => {
  if (!temperatures.length) {
    return [];
  }
  const section = (heading, icon, column_span, card) => ({
    type: "grid",
    column_span,
    cards: [
      { type: "heading", heading, icon },
      { ...card, entities: temperatures, grid_options: FULL_WIDTH },
    ],
  });
  return [
    // A station that is alone has the first graph beside it.
    section(text("history"), "mdi:chart-line", isAlone ? 1 : columns, {
      type: "history-graph",
      hours_to_show: 24,
    }),
    section(text("statistics", { days }), "mdi:chart-bell-curve-cumulative", columns, {
      type: "statistics-graph",
      days_to_show: days,
      period: days > 2 ? "day" : "hour",
      stat_types: ["min", "mean", "max"],
    }),
  ];
};

const noStationsSection = (text) => ({
  type: "grid",
  cards: [
    { type: "markdown", content: text("no_stations"), grid_options: FULL_WIDTH },
    {
      type: "button",
      name: text("add_station"),
      icon: "mdi:plus",
      tap_action: {
        action: "navigate",
        navigation_path: `/config/integrations/dashboard/add?domain=${DOMAIN}`,
      },
      grid_options: { ...FULL_WIDTH, rows: 2 },
    },
  ],
});

class EspWeatherDashboard extends HTMLElement {
  static registryDependencies = ["entities", "devices", "areas"];

  static async generate({ devices, days = DEFAULT_DAYS }, hass) {
    const text = await loadTexts(hass);
    const stations = stationsOf(hass, devices);
    const max_columns = Math.min(Math.max(stations.length, 2), MAX_COLUMNS);
    const temperatures = stations
      .flatMap(({ fields }) => fields)
      .filter(isTemperature)
      .map(({ entity_id }) => entity_id);
    return {
      views: [
        {
          title: text("title"),
          type: "sections",
          max_columns,
          sections: stations.length
            ? [
                ...stations.map((station) => stationSection(hass, text, station)),
                ...graphSections(
                  text,
                  temperatures,
                  days,
                  stations.length === 1,
                  max_columns
                ),
              ]
            : [noStationsSection(text)],
        },
      ],
    };
  }

  static getCreateSuggestions() {
    return { title: "ESP Weather", icon: "mdi:home-thermometer-outline" };
  }

  static getConfigElement() {
    return document.createElement("esp-weather-dashboard-editor");
  }
}

/** Asks which stations the dashboard shows, and how many days of statistics. */
class EspWeatherDashboardEditor extends HTMLElement {
  static schema = [
    {
      name: "devices",
      selector: { device: { multiple: true, filter: { integration: DOMAIN } } },
    },
    { name: "days", selector: { number: { min: 1, max: 365, mode: "box" } } },
  ];

  setConfig(config) {
    this._config = config;
    this._update();
  }

  set hass(hass) {
    const isFirst = !this._hass;
    this._hass = hass;
    if (isFirst) {
      this._create();
    } else {
      this._update();
    }
  }

  async _create() {
    const text = await loadTexts(this._hass);
    this._form = document.createElement("ha-form");
    this._form.schema = EspWeatherDashboardEditor.schema;
    this._form.computeLabel = ({ name }) => text(name);
    this._form.computeHelper = ({ name }) => text(`${name}_help`);
    this._form.addEventListener("value-changed", (event) => {
      event.stopPropagation();
      this.dispatchEvent(
        new CustomEvent("config-changed", { detail: { config: event.detail.value } })
      );
    });
    this._update();
    this.append(this._form);
  }

  _update() {
    if (this._form && this._config) {
      this._form.hass = this._hass;
      this._form.data = { days: DEFAULT_DAYS, ...this._config };
    }
  }
}

/** Offer the dashboard in the dialog 'new dashboard', in the user's language. */
const register = async () => {
  const app = document.querySelector("home-assistant");
  const hass = await new Promise((resolve) => {
    app.provideHass({
      set hass(value) {
        if (value) {
          resolve(value);
        }
      },
    });
  });
  const text = await loadTexts(hass);
  window.customStrategies = window.customStrategies ?? [];
  window.customStrategies.push({
    type: "esp-weather",
    strategyType: "dashboard",
    name: text("title"),
    description: text("description"),
    documentationURL: "https://github.com/esp-weather/esp_weather#the-dashboard",
    images: {
      light: new URL("dashboard-light.svg", import.meta.url).href,
      dark: new URL("dashboard-dark.svg", import.meta.url).href,
    },
  });
};

customElements.define("ll-strategy-dashboard-esp-weather", EspWeatherDashboard);
customElements.define("esp-weather-dashboard-editor", EspWeatherDashboardEditor);
register();
