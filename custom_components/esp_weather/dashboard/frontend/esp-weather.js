/**
 * The dashboard strategy `custom:esp-weather`: when to open the windows, and all
 * stations with their fields.
 *
 * Options: `outside` and `inside`, the temperatures to compare (those of the stations'
 * own advice if there are none); `devices`, the device IDs of the stations to show (all
 * if there are none); `hours` of the graphs, `days` of statistics; and whether there is
 * a view of `diagnostics`.
 */

import { makeDashboard } from "./dashboard.js";
import { EspWeatherDashboardEditor } from "./editor.js";
import { Freshness } from "./freshness.js";
import { loadTexts } from "./texts.js";

// Until then, an older Home Assistant (2026.3) may replace the registry of elements, and
// with it the class of which they are.
await customElements.whenDefined("home-assistant");

class EspWeatherDashboard extends HTMLElement {
  static registryDependencies = ["entities", "devices", "areas"];

  static freshness = new Freshness();

  static async generate(options, hass) {
    const { config, basis } = await makeDashboard(hass, await loadTexts(hass), options);
    this.freshness.made(basis);
    return config;
  }

  static shouldRegenerate(_options, before, hass) {
    return (
      [...this.registryDependencies, "locale"].some(
        (part) => before[part] !== hass[part]
      ) ||
      (before.states !== hass.states && this.freshness.isOver(hass))
    );
  }

  static getCreateSuggestions() {
    return { title: "ESP Weather", icon: "mdi:home-thermometer-outline" };
  }

  static getConfigElement() {
    return document.createElement("esp-weather-dashboard-editor");
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
    documentationURL:
      "https://github.com/esp-weather/esp_weather/blob/main/docs/dashboard.md",
  });
};

customElements.define("ll-strategy-dashboard-esp-weather", EspWeatherDashboard);
customElements.define("esp-weather-dashboard-editor", EspWeatherDashboardEditor);
register();
