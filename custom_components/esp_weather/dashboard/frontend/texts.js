/** The dashboard's texts in the language of the user. */

import { DOMAIN } from "./stations.js";

const loaded = new Map();

/**
 * Return the function that looks up a text of the dashboard, once it is loaded.
 *
 * Each language is asked for once: Home Assistant gives whoever asks again the texts
 * that it has by then, which may be none yet.
 */
export const loadTexts = async (hass) => {
  if (!loaded.has(hass.language)) {
    loaded.set(hass.language, hass.loadBackendTranslation("config_panel", DOMAIN));
  }
  const localize = await loaded.get(hass.language);
  return (key, values) =>
    localize(`component.${DOMAIN}.config_panel.dashboard.${key}`, values);
};
