/** A house with stations, as Home Assistant's frontend hands it to a strategy. */

import { readFileSync } from "node:fs";

const TRANSLATIONS = new URL(
  "../../../custom_components/esp_weather/translations/",
  import.meta.url
);

/** Return the function that looks up the dashboard's texts, as the frontend does. */
export const textsIn = (language) => {
  const { config_panel } = JSON.parse(
    readFileSync(new URL(`${language}.json`, TRANSLATIONS))
  );
  return (key, values = {}) => {
    const text = config_panel.dashboard[key];
    if (text === undefined) {
      throw new Error(`There is no text ${key}`);
    }
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      if (!(name in values)) {
        throw new Error(`${key} needs a ${name}`);
      }
      return values[name];
    });
  };
};

const FIELD = {
  temperature: { device_class: "temperature", unit_of_measurement: "°C" },
  humidity: { device_class: "humidity", unit_of_measurement: "%" },
};

/** Builds the part of `hass` that a strategy reads. */
export class House {
  entities = {};
  devices = {};
  areas = {};
  states = {};
  locale = { language: "en", number_format: "language", time_format: "24" };
  language = "en";
  config = { components: ["recorder", "history"], time_zone: "Europe/Berlin" };
  /** What the recorder answers, by period. */
  statistics = { hour: {}, "5minute": {} };
  asked = [];

  /** Add a station; each of its `fields` is a quantity and a state. */
  station(name, fields = {}, { area, hidden = false } = {}) {
    if (area) {
      this.areas[area.toLowerCase()] ??= { area_id: area.toLowerCase(), name: area };
    }
    const id = name.toLowerCase();
    this.devices[id] = { id, name, area_id: area?.toLowerCase() ?? null };
    for (const [key, state] of Object.entries(fields)) {
      const [quantity] = key.split("_");
      this.entity(id, `sensor.${id}_${key}`, { translation_key: quantity, hidden });
      this.states[`sensor.${id}_${key}`] = {
        state,
        attributes: { ...FIELD[quantity] },
      };
    }
    this.entity(id, `binary_sensor.${id}_connectivity`, {
      entity_category: "diagnostic",
    });
    this.states[`binary_sensor.${id}_connectivity`] = {
      state: "on",
      attributes: { device_class: "connectivity" },
    };
    return this;
  }

  /** Add the advice of a station that is inside. */
  advise(name, outside, state = "close") {
    const id = name.toLowerCase();
    const named = { inside: `sensor.${id}_temperature`, outside };
    for (const key of ["windows", "outside_difference", "next_change"]) {
      this.entity(id, `sensor.${id}_${key}`, { translation_key: key });
      this.states[`sensor.${id}_${key}`] = { state: "unknown", attributes: {} };
    }
    this.states[`sensor.${id}_windows`] = { state, attributes: named };
    return this;
  }

  entity(device_id, entity_id, rest = {}) {
    this.entities[entity_id] = {
      entity_id,
      device_id,
      platform: "esp_weather",
      ...rest,
    };
    return this;
  }

  /** Return the function that the frontend gives a strategy to ask the server. */
  callWS = async (message) => {
    this.asked.push(message);
    return Object.fromEntries(
      message.statistic_ids
        .filter((id) => id in this.statistics[message.period])
        .map((id) => [id, this.statistics[message.period][id]])
    );
  };
}
