/** The editor of the dashboard's options. */

import { DEFAULTS } from "./dashboard.js";
import { DOMAIN } from "./stations.js";
import { loadTexts } from "./texts.js";

const TEMPERATURE = { domain: "sensor", device_class: "temperature" };
const number = (max) => ({ number: { min: 1, max, mode: "box" } });

export class EspWeatherDashboardEditor extends HTMLElement {
  static schema = [
    { name: "outside", selector: { entity: { filter: TEMPERATURE } } },
    { name: "inside", selector: { entity: { filter: TEMPERATURE, multiple: true } } },
    {
      name: "devices",
      selector: { device: { multiple: true, filter: { integration: DOMAIN } } },
    },
    { name: "hours", selector: number(168) },
    { name: "days", selector: number(365) },
    { name: "diagnostics", selector: { boolean: {} } },
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
      this._form.data = { ...DEFAULTS, ...this._config };
    }
  }
}
