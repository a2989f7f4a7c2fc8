/** When to regenerate the dashboard, besides changes of the registries. */

import { dayOf } from "./past.js";

/** The least time between two dashboards that are made because of readings. */
const INTERVAL = 15 * 60 * 1000;

/** Remembers what the dashboard was generated from, and detects when that is outdated. */
export class Freshness {
  #basis = null;

  #madeAt = 0;

  /** Note what a dashboard has just been made from; null if from no station. */
  made(basis) {
    this.#basis = basis;
    this.#madeAt = Date.now();
  }

  /**
   * Return whether a station is compared with another one than before, or, once in a
   * while, whether it is another day or has been warmer or cooler than ever before today.
   */
  isOver(hass) {
    if (this.#basis === null) {
      return false;
    }
    const { advices, today, extremes } = this.#basis;
    if (advices.some((advice) => isOfOthers(hass, advice))) {
      return true;
    }
    return (
      Date.now() - this.#madeAt >= INTERVAL &&
      (dayOf(hass, Date.now()) !== today ||
        Object.entries(extremes).some(([entityId, { low, high }]) => {
          const value = Number.parseFloat(hass.states[entityId]?.state);
          return value < low || value > high;
        }))
    );
  }
}

/** Return whether an advice now names other sensors. */
const isOfOthers = (hass, { windows, named }) => {
  const { inside, outside } = hass.states[windows]?.attributes ?? {};
  return (inside && inside !== named.inside) || (outside && outside !== named.outside);
};
