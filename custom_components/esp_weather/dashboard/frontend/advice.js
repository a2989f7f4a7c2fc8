/**
 * The cards with the advice on the windows, and today's extremes.
 *
 * Home Assistant's markdown card fills them in. It hands its own configuration to the
 * template, and so names and texts need no quoting for Jinja.
 */

/** The placeholders that the template replaces in a text of the dashboard. */
const mark = (name) => `%${name}%`;

const FILL = `
{%- macro fill(text, values) -%}
  {%- set ns = namespace(text=text) -%}
  {%- for name, value in values.items() -%}
    {%- set ns.text = ns.text | replace('%' ~ name ~ '%', value) -%}
  {%- endfor -%}
  {{ ns.text }}
{%- endmacro -%}
{%- macro number(value) -%}
  {{ '%.1f' | format(value) | replace('.', config.decimal) }}
{%- endmacro -%}
`;

const ADVICE = `${FILL}
{%- set texts = config.texts -%}
{%- set inside = state_attr(config.windows, 'inside') or config.inside or '' -%}
{%- set outside = state_attr(config.windows, 'outside') or config.outside or '' -%}
{%- set advice = states(config.windows) -%}
{%- macro temperature(entity) -%}
  {%- set value = states(entity) | float(none) -%}
  {{- '—' if value is none
      else number(value) ~ ' ' ~ state_attr(entity, 'unit_of_measurement') -}}
{%- endmacro -%}
{%- set unit = state_attr(inside, 'unit_of_measurement') -%}
{%- set difference = states(config.difference) | float(none) -%}
{%- if difference is none and has_value(inside) and has_value(outside)
       and state_attr(outside, 'unit_of_measurement') == unit -%}
  {%- set difference = states(outside) | float - states(inside) | float -%}
{%- endif -%}
{%- if difference is none -%}
  {%- set compared = none -%}
{%- elif difference | abs < 0.05 -%}
  {%- set compared = texts.same -%}
{%- else -%}
  {%- set compared = fill(texts.cooler if difference < 0 else texts.warmer,
                          {'difference': number(difference | abs) ~ '°'}) -%}
{%- endif -%}
{%- set at = states(config.next) | as_timestamp(none) -%}
{%- set minutes = none if at is none else (at - now().timestamp()) / 60 -%}
{%- set cools = advice == 'close' or (advice != 'open' and (difference or 0) > 0) -%}
{%- if minutes is none or minutes < -10 or advice not in texts.advice -%}
  {%- set then = none -%}
{%- elif minutes < 8 -%}
  {%- set then = texts.cools_soon if cools else texts.warms_soon -%}
{%- else -%}
  {%- set about = (at / 600) | round * 600 -%}
  {%- set left = (about - now().timestamp()) / 60 -%}
  {%- set then = fill(texts.cools if cools else texts.warms, {
        'duration': fill(texts.minutes, {'count': (left / 5) | round | int * 5})
          if left < 88 else fill(texts.hours, {'count': (left / 60) | round | int}),
        'time': about | timestamp_custom(config.clock)}) -%}
{%- endif -%}
<ha-alert alert-type="
{{- {'open': 'success', 'close': 'warning'}.get(advice, 'info') -}}
" title="{{ config.room | e }}">
<big><b>
{%- if compared and advice in texts.advice -%}
  {{ fill(texts.because, {'advice': texts.advice[advice], 'why': compared}) }}
{%- else -%}
  {{ texts.advice.get(advice, compared or texts.unknown) }}
{%- endif -%}
</b></big><br>
{{- then or fill(texts.both, {
     'outside': temperature(outside), 'inside': temperature(inside)}) }}
</ha-alert>
`;

const TODAY = `${FILL}
{%- set value = states(config.temperature) | float(none) -%}
{%- set sensor = states[config.temperature] -%}
{%- set is_today = now().strftime('%Y-%m-%d') == config.today -%}
{%- if is_today and value is not none -%}
  {%- set at = sensor.last_updated.timestamp() -%}
  {%- set low, low_at = (value, at) if value < config.low else (config.low, config.low_at) -%}
  {%- set high, high_at =
        (value, at) if value > config.high else (config.high, config.high_at) -%}
{%- else -%}
  {%- set low, low_at, high, high_at =
        config.low, config.low_at, config.high, config.high_at -%}
{%- endif -%}
{%- if is_today -%}
  {{ fill(config.text, {
       'low': number(low) ~ '°', 'low_at': low_at | timestamp_custom(config.clock),
       'high': number(high) ~ '°', 'high_at': high_at | timestamp_custom(config.clock)}) }}
{%- endif -%}
`;

/** Return how the user writes numbers and times, for the templates. */
const formatsOf = ({ locale }) => {
  const languages = {
    comma_decimal: ["en-US"],
    decimal_comma: ["de"],
    space_comma: ["fr"],
    quote_decimal: ["de-CH"],
    none: ["en-US"],
    system: undefined,
  };
  const { number_format, time_format, language } = locale;
  const numbers = number_format in languages ? languages[number_format] : [language];
  const clock = { 12: true, 24: false, am_pm: true }[time_format];
  const times = time_format === "system" ? undefined : [language];
  const is12 =
    clock ??
    new Intl.DateTimeFormat(times, { hour: "numeric" }).resolvedOptions().hour12;
  return {
    decimal: new Intl.NumberFormat(numbers)
      .formatToParts(0.5)
      .find(({ type }) => type === "decimal").value,
    clock: is12 ? "%-I:%M %p" : "%H:%M",
  };
};

/** Return the card of a room: the advice, why, until when, and both temperatures. */
export const adviceCard = (hass, text, { room, ...entities }) => ({
  type: "markdown",
  text_only: true,
  ...formatsOf(hass),
  ...entities,
  windows: entities.windows ?? "",
  difference: entities.difference ?? "",
  next: entities.next ?? "",
  room,
  texts: {
    advice: {
      open: text("advice_open"),
      close: text("advice_close"),
      either: text("advice_either"),
    },
    because: text("advice_because", {
      advice: mark("advice"),
      why: mark("why"),
    }),
    unknown: text("advice_unknown"),
    cooler: text("cooler_outside", { difference: mark("difference") }),
    warmer: text("warmer_outside", { difference: mark("difference") }),
    same: text("same_outside"),
    cools: text("cooler_at", { duration: mark("duration"), time: mark("time") }),
    warms: text("warmer_at", { duration: mark("duration"), time: mark("time") }),
    cools_soon: text("cooler_soon"),
    warms_soon: text("warmer_soon"),
    minutes: text("in_minutes", { count: mark("count") }),
    hours: text("in_hours", { count: mark("count") }),
    both: text("both", { outside: mark("outside"), inside: mark("inside") }),
  },
  content: ADVICE,
  ...(entities.windows && {
    tap_action: { action: "more-info", entity: entities.windows },
  }),
});

/** Return the line with a temperature's lowest and highest of today, or no card. */
export const todayCards = (hass, text, temperature, { today, extremes }) =>
  extremes[temperature]
    ? [
        {
          type: "markdown",
          text_only: true,
          ...formatsOf(hass),
          ...extremes[temperature],
          today,
          temperature,
          text: text(
            "today",
            Object.fromEntries(
              ["low", "low_at", "high", "high_at"].map((name) => [name, mark(name)])
            )
          ),
          content: TODAY,
        },
      ]
    : [];
