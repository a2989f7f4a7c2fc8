/** The dashboard that is made of a house. */

import assert from "node:assert/strict";
import { mock, suite, test } from "node:test";

import { makeDashboard } from "../../../custom_components/esp_weather/dashboard/frontend/dashboard.js";
import { Freshness } from "../../../custom_components/esp_weather/dashboard/frontend/freshness.js";
import { House, textsIn } from "./house.js";

const OUTSIDE = "sensor.outdoor_temperature";
const INSIDE = "sensor.living_temperature";

/** Return a house with a station outside and one inside. */
const house = () =>
  new House()
    .station("Living", { temperature: "25", humidity: "50" }, { area: "Living room" })
    .station("Outdoor", { humidity: "70", temperature: "21" })
    .advise("Living", OUTSIDE);

const made = async (hass, options = {}, language = "en") =>
  (await makeDashboard(hass, textsIn(language), options)).config;

const mainView = async (hass, options) => (await made(hass, options)).views[0];

const cardsOf = ({ sections }) => sections.flatMap(({ cards }) => cards);

const cards = async (hass, type, options) =>
  cardsOf(await mainView(hass, options)).filter((card) => card.type === type);

const headings = async (hass, options) =>
  (await cards(hass, "heading", options)).map(({ heading }) => heading);

const entitiesOf = ({ entities }) => entities.map(({ entity }) => entity);

suite("the answer", () => {
  test("comes first, then the curves of what is compared, outside first", async () => {
    const { sections } = await mainView(house());
    const [advice, heading, graph] = sections[0].cards;

    assert.equal(advice.type, "markdown");
    assert.equal(advice.room, "Living room");
    assert.equal(advice.windows, "sensor.living_windows");
    assert.deepEqual([advice.inside, advice.outside], [INSIDE, OUTSIDE]);
    assert.deepEqual(advice.grid_options, { columns: "full" });
    assert.equal(heading.heading, "Last 24 hours");
    assert.equal(graph.type, "history-graph");
    assert.deepEqual(graph.entities, [
      { entity: OUTSIDE, name: "Outdoor" },
      { entity: INSIDE, name: "Living room" },
    ]);
  });

  test("is given for each room, beside each other where there is space", async () => {
    const hass = house()
      .station("Bed", { temperature: "22" }, { area: "Living room" })
      .advise("Bed", OUTSIDE, "open");
    const [one, other] = await cards(hass, "markdown");

    // In the same area they are told apart by the names of the stations.
    assert.deepEqual([one.room, other.room], ["Bed", "Living"]);
    assert.deepEqual(one.grid_options, { columns: 12 });
    assert.deepEqual(other.grid_options, { columns: 12 });
  });

  test("is not there without places, but how to get it is", async () => {
    const hass = new House()
      .station("One", { temperature: "20" })
      .station("Two", { temperature: "21" });
    const [hint] = await cards(hass, "markdown");

    assert.match(hint.content, /options of your stations/);
    assert.equal(
      hint.tap_action.navigation_path,
      "/config/integrations/integration/esp_weather"
    );
    const [graph] = await cards(hass, "history-graph");
    assert.deepEqual(entitiesOf(graph), [
      "sensor.one_temperature",
      "sensor.two_temperature",
    ]);
  });

  test("can be of temperatures that the user has chosen", async () => {
    const hass = house();
    hass.states["sensor.met"] = { state: "18", attributes: { friendly_name: "Met" } };
    hass.states["sensor.hall"] = { state: "20", attributes: { friendly_name: "Hall" } };
    const [living, hall] = await cards(hass, "markdown", {
      outside: "sensor.met",
      inside: [INSIDE, "sensor.hall"],
    });

    assert.deepEqual([living.room, hall.room], ["Living room", "Hall"]);
    assert.equal(living.windows, "sensor.living_windows");
    assert.deepEqual([hall.windows, hall.outside], ["", "sensor.met"]);
    assert.equal(hall.tap_action, undefined);
  });

  test("is the same while its sensors are unavailable", async () => {
    const hass = house();
    hass.states["sensor.living_windows"] = { state: "unavailable", attributes: {} };
    const [advice] = await cards(hass, "markdown");

    assert.equal(advice.inside, INSIDE);
    assert.equal(advice.outside, null);
  });

  for (const [locale, decimal, clock] of [
    [
      { language: "en", number_format: "language", time_format: "12" },
      ".",
      "%-I:%M %p",
    ],
    [
      { language: "en", number_format: "language", time_format: "language" },
      ".",
      "%-I:%M %p",
    ],
    [
      { language: "de", number_format: "language", time_format: "language" },
      ",",
      "%H:%M",
    ],
    [
      { language: "fr", number_format: "comma_decimal", time_format: "24" },
      ".",
      "%H:%M",
    ],
    [
      { language: "en", number_format: "decimal_comma", time_format: "24" },
      ",",
      "%H:%M",
    ],
    [{ language: "es", number_format: "space_comma", time_format: "24" }, ",", "%H:%M"],
    [
      { language: "de", number_format: "quote_decimal", time_format: "24" },
      ".",
      "%H:%M",
    ],
  ]) {
    test(`has numbers and times as in ${JSON.stringify(locale)}`, async () => {
      const [advice] = await cards(Object.assign(house(), { locale }), "markdown");

      assert.equal(advice.decimal, decimal);
      assert.equal(advice.clock, clock);
    });
  }

  test("has numbers and times of the system if the user wants that", async () => {
    const locale = { language: "de", number_format: "system", time_format: "system" };
    const [advice] = await cards(Object.assign(house(), { locale }), "markdown");

    assert.match(advice.decimal, /^[.,]$/);
    assert.match(advice.clock, /:%M/);
  });

  for (const language of ["de", "en", "es", "fr"]) {
    test(`has all its texts in ${language}`, async () => {
      const { views } = await made(house(), {}, language);

      for (const text of Object.values(cardsOf(views[0])[0].texts)) {
        assert.ok(typeof text === "object" || text);
      }
    });
  }
});

suite("the stations", () => {
  test("are outside before inside before the rest, the empty ones last", async () => {
    const hass = new House()
      .station("Attic", {}, { area: "Attic" })
      .station("Cellar", { temperature: "14" }, { area: "Cellar" })
      .station("Bath 10", { temperature: "22" })
      .station("Bath 9", { temperature: "22" });
    hass
      .station("Living", { temperature: "25" })
      .station("Outdoor", { temperature: "21" })
      .advise("Living", OUTSIDE);

    assert.deepEqual(await headings(hass), [
      "Last 24 hours",
      "Outdoor",
      "Living",
      "Other rooms",
      "Cellar",
      "Bath 9",
      "Bath 10",
      "Attic",
      "Last 30 days: lowest, mean and highest",
    ]);
  });

  test("are named with their area, once", async () => {
    const hass = new House()
      .station("Kitchen", { temperature: "20" }, { area: "kitchen" })
      .station("Board", { temperature: "20" }, { area: "Hall" });
    hass.devices.board.name_by_user = "Sensor";

    const names = await headings(hass);
    assert.ok(names.includes("Kitchen"));
    assert.ok(names.includes("Sensor · Hall"));
  });

  test("have their temperature first, then humidity, then the rest by name", async () => {
    const hass = new House().station("One", {
      pressure_10: "1000",
      pressure_9: "1000",
      humidity: "50",
      temperature_3: "20",
      temperature: "20",
    });
    const fields = await cards(hass, "entities");

    assert.deepEqual(
      fields.map((card) => entitiesOf(card)[0]),
      [
        "sensor.one_temperature",
        "sensor.one_temperature_3",
        "sensor.one_humidity",
        "sensor.one_pressure_9",
        "sensor.one_pressure_10",
      ]
    );
    for (const { entities } of fields) {
      assert.equal(entities[0].secondary_info, "last-updated");
    }
  });

  test("do not take a dew point for the temperature", async () => {
    const hass = house().entity("outdoor", "sensor.outdoor_dew_point", {
      translation_key: "dew_point",
    });
    hass.states["sensor.outdoor_dew_point"] = {
      state: "9",
      attributes: { device_class: "temperature", unit_of_measurement: "°C" },
    };
    const fields = (await cards(hass, "entities")).map((card) => entitiesOf(card)[0]);

    assert.equal(fields[0], OUTSIDE);
    assert.ok(fields.includes("sensor.outdoor_dew_point"));
    assert.equal((await cards(hass, "history-graph")).length, 1);
  });

  test("name the area of a field that is elsewhere", async () => {
    const hass = house();
    hass.areas.garden = { area_id: "garden", name: "Garden" };
    hass.entities[OUTSIDE].area_id = "garden";
    const fields = await cards(hass, "entities");

    assert.deepEqual(fields[0].entities[0].name, [
      { type: "entity" },
      { type: "area" },
    ]);
    assert.deepEqual(fields[1].entities[0].name, [{ type: "entity" }]);
  });

  test("say what to do as long as they are empty", async () => {
    const hass = new House().station("Attic");
    const [hint] = await cards(hass, "markdown");

    assert.match(hint.content, /Switch the station on/);
    assert.deepEqual((await mainView(hass)).badges, []);
  });

  test("can be chosen", async () => {
    const names = await headings(house(), { devices: ["outdoor"] });

    assert.ok(names.includes("Outdoor"));
    assert.ok(!names.some((name) => name.startsWith("Living")));
  });

  test("show nothing that is hidden or of others", async () => {
    const hass = house()
      .station("Shed", { temperature: "5" }, { hidden: true })
      .entity("outdoor", "sensor.foreign", { platform: "other" })
      .entity("gone", "sensor.gone");
    const shown = JSON.stringify(await made(hass));

    assert.ok(!shown.includes("Switch the station on"));
    for (const name of ["shed_temperature", "sensor.foreign", "sensor.gone"]) {
      assert.ok(!shown.includes(name), name);
    }
  });

  test("have today's lowest and highest with their times", async () => {
    const hass = house();
    const start = Date.parse("2026-07-01T04:00:00Z");
    mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-07-01T12:00:00Z") });
    hass.statistics["5minute"][OUTSIDE] = [
      // Yesterday in Berlin
      { start: Date.parse("2026-06-30T21:55:00Z"), min: 1, max: 40 },
      { start: start - 300_000, min: 14, max: 15 },
      { start, min: 13.5, max: 14 },
      { start: start + 300_000, min: 13.6, max: 16 },
    ];
    const today = (await cards(hass, "markdown"))[1];
    mock.timers.reset();

    assert.equal(today.temperature, OUTSIDE);
    assert.equal(today.today, "2026-07-01");
    assert.deepEqual([today.low, today.low_at], [13.5, start / 1000]);
    assert.deepEqual([today.high, today.high_at], [16, start / 1000 + 300]);
    assert.equal(today.text, "Today %low% (%low_at%) to %high% (%high_at%)");
  });
});

suite("the graphs", () => {
  const limits = async (hass) =>
    Object.fromEntries(
      (await cards(hass, "entities")).map(({ entities, footer }) => [
        entities[0].entity,
        footer?.limits,
      ])
    );

  test("of a quantity have one scale", async () => {
    const hass = house();
    hass.statistics.hour[OUTSIDE] = [
      { min: 10, max: 14 },
      { min: 13, max: 22 },
    ];
    hass.statistics.hour[INSIDE] = [{ min: 24, max: 26 }];
    hass.statistics.hour["sensor.living_humidity"] = [{ min: 50, max: 50 }];
    const found = await limits(hass);

    assert.deepEqual(found[OUTSIDE], { min: 10, max: 22 });
    // A swing of 2° is not drawn like one of 12°.
    assert.deepEqual(found[INSIDE], { min: 19, max: 31 });
    assert.deepEqual(found["sensor.living_humidity"], { min: 45, max: 55 });
  });

  test("show nothing of what has no past", async () => {
    const hass = house();
    assert.equal((await limits(hass))[INSIDE], undefined);

    hass.states[INSIDE].state = "unavailable";
    assert.equal((await limits(hass))[INSIDE], undefined);

    hass.statistics.hour[INSIDE] = [{ min: 20, max: 24 }];
    assert.deepEqual((await limits(hass))[INSIDE], { min: 19.5, max: 24.5 });

    hass.statistics.hour[INSIDE] = [{ min: null, max: null }];
    assert.equal((await limits(hass))[INSIDE], undefined);
  });

  test("do without a recorder", async () => {
    const hass = house();
    hass.config.components = [];
    hass.callWS = () => assert.fail();

    assert.equal((await limits(hass))[OUTSIDE], undefined);
  });

  test("are not flattened by a freezer", async () => {
    const hass = house()
      .station("Freezer", { temperature: "-18" })
      .station("Hall", { temperature: "19" })
      .station("Cellar", { temperature: "14" })
      .station("New", { temperature: "unknown" });
    const graphs = (await cards(hass, "history-graph")).map(entitiesOf);

    assert.deepEqual(graphs, [
      [OUTSIDE, INSIDE],
      [
        "sensor.cellar_temperature",
        "sensor.hall_temperature",
        "sensor.new_temperature",
      ],
    ]);
    const statistics = (await cards(hass, "statistics-graph")).map(entitiesOf);
    assert.deepEqual(statistics, [...graphs, ["sensor.freezer_temperature"]]);
  });

  test("have as many hours and days as the user wants", async () => {
    const hass = house();
    hass.statistics.hour[OUTSIDE] = [{ min: 18, max: 22 }];
    const options = { hours: 48, days: 2 };

    const [history] = await cards(hass, "history-graph", options);
    assert.equal(history.hours_to_show, 48);
    const [statistics] = await cards(hass, "statistics-graph", options);
    assert.deepEqual([statistics.days_to_show, statistics.period], [2, "hour"]);
    const [field] = await cards(hass, "entities", options);
    assert.equal(field.footer.hours_to_show, 48);
    assert.ok((await headings(hass, options)).includes("Last 48 hours"));
  });

  test("of one station stand beside it", async () => {
    const hass = new House().station("One", { temperature: "20" });
    const { sections } = await mainView(hass);

    assert.equal(sections[0].column_span, 1);
    assert.deepEqual(
      sections[0].cards.map(({ type }) => type),
      ["heading", "history-graph"]
    );
  });
});

suite("trouble and diagnostics", () => {
  test("are badges that show only while something is wrong", async () => {
    const hass = house().entity("outdoor", "sensor.outdoor_battery", {
      entity_category: "diagnostic",
    });
    hass.states["sensor.outdoor_battery"] = {
      state: "80",
      attributes: { device_class: "battery" },
    };
    const { badges } = await mainView(hass);

    assert.deepEqual(
      badges.map(({ name, visibility }) => [name, visibility]),
      [
        [
          "Outdoor no longer reports",
          [
            {
              condition: "state",
              entity: "binary_sensor.outdoor_connectivity",
              state: "off",
            },
          ],
        ],
        [
          "Outdoor",
          [{ condition: "numeric_state", entity: "sensor.outdoor_battery", below: 20 }],
        ],
        [
          "Living no longer reports",
          [
            {
              condition: "state",
              entity: "binary_sensor.living_connectivity",
              state: "off",
            },
          ],
        ],
      ]
    );
  });

  test("have a view of their own, which may be left out", async () => {
    const hass = house();
    const { views } = await made(hass);

    assert.deepEqual(
      views.map(({ title }) => title),
      ["ESP Weather", "Diagnostics"]
    );
    assert.ok(JSON.stringify(views[1]).includes("binary_sensor.living_connectivity"));
    assert.ok(!JSON.stringify(views[1]).includes(OUTSIDE));
    assert.equal((await made(hass, { diagnostics: false })).views.length, 1);
  });
});

test("without stations there is a way to add one", async () => {
  const { views } = await made(new House());

  assert.equal(views.length, 1);
  const [text, button] = cardsOf(views[0]);
  assert.match(text.content, /no weather station/);
  assert.match(button.tap_action.navigation_path, /domain=esp_weather/);
});

suite("it is made again", () => {
  const HOUR = 3600 * 1000;
  const NOW = Date.parse("2026-07-01T12:00:00Z");

  const fresh = async (t, hass) => {
    t.mock.timers.enable({ apis: ["Date"], now: NOW });
    hass.statistics["5minute"][OUTSIDE] = [{ start: NOW - HOUR, min: 20, max: 22 }];
    const freshness = new Freshness();
    freshness.made((await makeDashboard(hass, textsIn("en"), {})).basis);
    return freshness;
  };

  test("when another station is outside", async (t) => {
    const hass = house();
    const freshness = await fresh(t, hass);
    assert.equal(freshness.isOver(hass), false);

    hass.states["sensor.living_windows"].attributes = {};
    assert.equal(freshness.isOver(hass), false);
    hass.states["sensor.living_windows"].attributes = {
      inside: INSIDE,
      outside: "sensor.met",
    };
    assert.equal(freshness.isOver(hass), true);
  });

  for (const [state, isOver] of [
    ["21", false],
    ["19.9", true],
    ["22.1", true],
    ["unavailable", false],
  ]) {
    test(`${isOver ? "" : "not "}when it is ${state}, and not at once`, async (t) => {
      const hass = house();
      const freshness = await fresh(t, hass);
      hass.states[OUTSIDE].state = state;
      assert.equal(freshness.isOver(hass), false);

      t.mock.timers.tick(HOUR);
      assert.equal(freshness.isOver(hass), isOver);
    });
  }

  test("on another day", async (t) => {
    const hass = house();
    const freshness = await fresh(t, hass);

    t.mock.timers.tick(9 * HOUR);
    assert.equal(freshness.isOver(hass), false);
    t.mock.timers.tick(HOUR); // It is midnight in Berlin.
    assert.equal(freshness.isOver(hass), true);
  });

  test("never, without a station", () => {
    const freshness = new Freshness();
    assert.equal(freshness.isOver(new House()), false);
    freshness.made(null);
    assert.equal(freshness.isOver(new House()), false);
  });
});
