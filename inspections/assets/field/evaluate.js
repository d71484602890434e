// How answers become judgements: inspections/rules/evaluation.py once more, for a phone without a
// network. tests/inspections/field_evaluation_test.py holds the two against each other, item by item.
// Numbers are decimal here as there: a limit that is just reached must be the same limit.
import { Decimal } from "decimal.js";

const Exact = Decimal.clone({ precision: 28, rounding: Decimal.ROUND_HALF_EVEN, toExpNeg: -40, toExpPos: 40 });
// Texts are translated where they are shown.
const N_ = (text) => text;

const RANK = { critical: 0, major: 1, minor: 2 };
const COMPARE = {
  ">": (one, other) => one.gt(other),
  "<": (one, other) => one.lt(other),
  ">=": (one, other) => one.gte(other),
  "<=": (one, other) => one.lte(other),
};
const OUTCOMES = new Set(["ok", "not_checked", "not_applicable"]);
const ROOFTOP = new Set(["rooftop_guyed", "rooftop_pole"]);
// What a visit that was not made in the way of an item may not say about it.
const NOT_SEEN = {
  ground: N_("This is checked from the ground, which this visit was not: say “Not checked”"),
  climb: N_("This is checked by climbing, and nobody climbed: say “Not checked”"),
  documents: N_("This is checked in documents, and none were read: say “Not checked”"),
  instrument: N_("This is measured with an instrument, and none was used: say “Not checked”"),
};
const COMPUTE = {
  plumb_percent: (offset, height) => offset.div(new Exact(10).times(height)),
  tension_deviation_percent: (measured, design) => new Exact(100).times(measured.minus(design)).div(design),
  tension_percent_of_breaking: (measured, breaking) => new Exact(100).times(measured).div(breaking),
  distance_in_heights: (distance, height) => distance.div(height),
};

const empty = (value) => value === undefined || value === null || value === "";
const textOf = (value) => (value === undefined || value === null ? "None" : String(value));
const stripped = (value) => String(value || "").trim();

// What of a tower decides which items apply; heights in metres, null unknown.
export function structureOf({ structure_type, services, height_m, host_building_height_m }, type = structure_type) {
  const height = asNumber(height_m);
  const below = asNumber(host_building_height_m);
  const unknown = height === null || (below === null && ROOFTOP.has(type));
  return { structure_type: type, services: new Set(services || []), height_m: height, overall_height_m: unknown ? null : height.plus(below || 0) };
}

// Whether an item applies: structure type, services, and height unknown or high enough.
export function applies(item, structure) {
  if (!item.applies_to.includes(structure.structure_type)) return false;
  if (item.services?.length && !item.services.some((one) => structure.services.has(one))) return false;
  if (empty(item.min_height_m)) return true;
  const height = item.height_of === "overall" ? structure.overall_height_m : structure.height_m;
  return height === null || height.gte(String(item.min_height_m));
}

// The items that apply to a structure, those `beside` the checklist last.
export function applicableItems(catalogue, structure, beside = []) {
  return [...catalogue.items, ...beside].filter((item) => applies(item, structure));
}

// Whether an applicable item is asked: `asked_when` wants an input of another item unknown.
export function isAsked(item, answers) {
  if (!item.asked_when) return true;
  const other = answers[item.asked_when.item];
  return !other || empty(other.inputs?.[item.asked_when.input]);
}

// Judges the answers given for a structure; what is wrong is in `problems`, nothing is thrown.
// `methods` says how the visit was made, null where nobody said.
export function evaluate(catalogue, structure, answers, methods = null, beside = []) {
  const problems = [];
  const judgements = {};
  const applicable = new Map(applicableItems(catalogue, structure, beside).map((item) => [item.key, item]));
  for (const [key, given] of Object.entries(answers)) {
    const item = applicable.get(key);
    if (!item) {
      const known = catalogue.items.some((one) => one.key === key);
      problems.push({ item: key, facts: {}, message: known ? N_("This item does not apply to this structure") : N_("The checklist has no such item") });
      continue;
    }
    const { judgement, found } = judge(item, structure, given, catalogue.severities);
    const unseen = methods !== null && !methods.includes(item.how) && given.outcome === "ok";
    problems.push(...(unseen ? [{ message: NOT_SEEN[item.how], facts: {} }] : found).map((one) => ({ item: key, ...one })));
    judgements[key] = judgement;
  }
  const asked = [...applicable.values()].filter((item) => isAsked(item, answers));
  const outcome = (key) => judgements[key]?.outcome;
  const missing = asked.filter((item) => !judgements[item.key]).map((item) => item.key);
  const judged = Object.keys(judgements).filter((key) => outcome(key) === "ok");
  // An answer that its design value would have given is made good by the item asked instead.
  const replaced = new Set(asked.filter((item) => item.asked_when && outcome(item.key) === "ok").map((item) => item.asked_when.item));
  const open = asked.some((item) => outcome(item.key) === "not_checked" && !replaced.has(item.key));
  return {
    judgements,
    missing,
    complete: judged.length > 0 && !missing.length && !open && !problems.length,
    photosRequired: Object.keys(judgements).filter((key) => judgements[key].severity !== null && applicable.get(key).photo === "on_fail"),
    problems,
  };
}

const judgementOf = (outcome, value = null) => ({ outcome, value, severity: null, remedy_days: null, legal_basis: null, basis: null });

function judge(item, structure, given, severities) {
  const found = [];
  const say = (message, facts = {}) => found.push({ message, facts });
  if (!OUTCOMES.has(given.outcome)) {
    say(N_("Choose an answer"));
    return { judgement: judgementOf("not_checked"), found };
  }
  if (given.outcome !== "ok") {
    if (!stripped(given.reason)) say(N_("Say why it was not checked or does not apply"));
    if (!empty(given.value)) say(N_("An item that was not checked has no value"));
    return { judgement: judgementOf(given.outcome), found };
  }
  const form = item.answer;
  const recorded = recordedBeside(form, given, say);
  const value = form.derived ? derivedValue(form, given, say) : valueOf(form, given.value, say);
  if (value === null) return { judgement: judgementOf(form.derived ? "not_checked" : "ok"), found };
  const level = worst(item, structure, value, recorded, severities);
  const judgement = judgementOf("ok", value);
  if (level) {
    judgement.severity = level.severity;
    judgement.remedy_days = days(level, severities);
    judgement.legal_basis = item.legal_basis || null;
    judgement.basis = level.basis || item.basis;
  }
  return { judgement, found };
}

// The most severe level that matches; among equals the one with the shortest remedy.
function worst(item, structure, value, recorded, severities) {
  if (item.answer.risk_input_only) return null;
  const matching = (item.levels || []).filter((level) => (
    (!level.structures?.length || level.structures.includes(structure.structure_type))
    && holds(level, recorded) && matches(level, item.answer, value)));
  return matching.reduce((best, level) => {
    if (!best) return level;
    const order = RANK[level.severity] - RANK[best.severity] || days(level, severities) - days(best, severities);
    return order < 0 ? level : best;
  }, null);
}

function days(level, severities) {
  return level.remedy_days ?? severities[level.severity].default_remedy_days;
}

function holds(level, recorded) {
  if (!level.when) return true;
  const value = recorded[level.when.record_also];
  return value === undefined ? level.when.if_unknown : COMPARE[level.when.op](value, String(level.when.value));
}

function matches(level, form, value) {
  if (level.op === "fail") return value !== form.pass_value;
  if (level.op === "in") return level.value.includes(value);
  if (level.op === "abs>") return value.abs().gt(String(level.value));
  if (level.op === "outside") return value.lt(String(level.value[0])) || value.gt(String(level.value[1]));
  return COMPARE[level.op](value, String(level.value));
}

// A finite number, null for anything else. Texts are read with point or comma.
export function asNumber(value) {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const text = String(value).trim().replaceAll(",", ".").replaceAll("_", "");
  if (text.length > 40 || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return null;
  const number = new Exact(text);
  return number.isFinite() && number.e > -30 && number.e < 30 ? number : null;
}

function valueOf(form, given, say) {
  if (empty(given)) {
    say(N_("The value is missing"));
    return null;
  }
  if (form.type === "yes_no" || form.type === "enum") {
    const allowed = form.type === "yes_no" ? ["yes", "no"] : form.values.map((one) => one.key);
    if (allowed.includes(given)) return given;
    say(N_("Choose one of the answers"));
    return null;
  }
  if (form.type === "text") {
    if (typeof given === "string" && [...given].length <= 4000) return given.trim();
    say(N_("This is not a text of at most 4000 characters"));
    return null;
  }
  const number = asNumber(given);
  if (number === null) say(N_("This is not a number"));
  else if (form.type === "count" && !number.isInteger()) say(N_("This must be a whole number"));
  else if (outside(number, form)) say(N_("%(value)s lies outside %(low)s to %(high)s"), { value: textOf(given), low: textOf(form.min), high: textOf(form.max) });
  else return number;
  return null;
}

function outside(number, { min, max }) {
  return (!empty(min) && number.lt(String(min))) || (!empty(max) && number.gt(String(max)));
}

// The numbers recorded beside the answer.
function recordedBeside(form, given, say) {
  const numbers = {};
  const known = new Map((form.record_also || []).map((one) => [one.key, one]));
  for (const [name, value] of Object.entries(given.record_also || {})) {
    const one = known.get(name);
    if (!one) say(N_("“%(name)s” is not recorded with this item"), { name });
    else if (empty(value)) continue;
    else if (one.one_of?.length) {
      if (!one.one_of.includes(value)) say(N_("Choose one of the answers for “%(name)s”"), { name });
    } else {
      const number = asNumber(value);
      if (number === null || outside(number, one)) say(N_("“%(name)s” is not a number in its range"), { name });
      else numbers[name] = number;
    }
  }
  return numbers;
}

// The value computed from the inputs; null, never an error, where one cannot be used.
function derivedValue(form, given, say) {
  const known = form.derived.inputs;
  for (const name of Object.keys(given.inputs || {})) {
    if (!known.some((one) => one.key === name)) say(N_("“%(name)s” is not an input of this item"), { name });
  }
  if (!empty(given.value)) say(N_("This value is computed: give its inputs instead"));
  const numbers = known.map((one) => {
    const number = asNumber(given.inputs?.[one.key]);
    return number === null || outside(number, one) ? null : number;
  });
  if (numbers.includes(null) || numbers[1].isZero()) return null;
  return COMPUTE[form.derived.function](numbers[0], numbers[1]);
}
