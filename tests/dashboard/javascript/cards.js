/** Prints the cards with templates that a house has in each language, as JSON. */

import { makeDashboard } from "../../../custom_components/esp_weather/dashboard/frontend/dashboard.js";
import { House, textsIn } from "./house.js";

const OUTSIDE = "sensor.outdoor_temperature";
const START = Date.parse("2026-07-01T03:00:00Z");

const cards = {};
Date.now = () => START;
for (const language of ["de", "en", "es", "fr"]) {
  const hass = new House()
    .station("Outdoor", { temperature: "21" })
    .station("Living", { temperature: "25" }, { area: "<Living> & more" })
    .station("Hall", { temperature: "25" })
    .advise("Living", OUTSIDE);
  hass.locale = { language, number_format: "language", time_format: "language" };
  hass.statistics["5minute"][OUTSIDE] = [
    { start: START, min: 13.46, max: 14 },
    { start: START + 3600_000, min: 14, max: 26.54 },
  ];
  const { config } = await makeDashboard(hass, textsIn(language), {
    inside: ["sensor.living_temperature", "sensor.hall_temperature"],
  });
  const [advice, chosen, today] = config.views[0].sections
    .flatMap((section) => section.cards)
    .filter(({ type }) => type === "markdown");
  cards[language] = { advice, chosen, today };
}
console.log(JSON.stringify(cards));
