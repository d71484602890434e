// The limits of an item as people read them: what would be a violation, and how bad.
import { _ } from "core/texts";
import { inWords, number, word } from "./show.js";

const SIGNS = { ">": ">", "<": "<", ">=": "≥", "<=": "≤" };

export const unitOf = (form) => inWords({ vi: form.unit || "", en: form.unit_en || form.unit || "" });

function limit(level, form) {
  const amount = (value) => `${number(value, 6)} ${unitOf(form)}`.trim();
  let text;
  if (level.op === "fail") text = _("answer “%(answer)s”", { answer: word(form.pass_value === "yes" ? "no" : "yes", "yes_no") });
  else if (level.op === "in") text = form.values.filter((one) => level.value.includes(one.key)).map(inWords).join(", ");
  else if (level.op === "outside") text = _("below %(low)s or above %(high)s", { low: amount(level.value[0]), high: amount(level.value[1]) });
  else if (level.op === "abs>") text = `> ±${amount(level.value)}`;
  else text = `${SIGNS[level.op]} ${amount(level.value)}`;
  if (level.when) {
    const unknown = level.when.if_unknown ? _(", or unknown") : "";
    text += ` (${word(level.when.record_also, "input")} ${SIGNS[level.when.op]} ${number(level.when.value, 6)}${unknown})`;
  }
  return text;
}

// The limits that count for a structure, as `[severity, text]`.
export function limitsOf(item, structure) {
  const form = item.answer;
  if (form.risk_input_only) return [];
  return (item.levels || [])
    .filter((level) => !level.structures?.length || level.structures.includes(structure.structure_type))
    .map((level) => [level.severity, limit(level, form)]);
}

// An answer in a few words: its value with the unit, or why there is none.
export function answerText(item, given) {
  const form = item.answer;
  if (given.outcome !== "ok") return [word(given.outcome, "outcome"), given.reason].filter(Boolean).join(": ");
  if (form.derived) return Object.entries(given.inputs || {}).map(([key, value]) => `${word(key, "input")} ${written(value)}`).join(", ");
  if (form.type === "yes_no") return word(given.value, "yes_no");
  if (form.type === "enum") return inWords(form.values.find((one) => one.key === given.value)) || given.value;
  return `${written(given.value)} ${unitOf(form)}`.trim();
}

// A number as people write it here, whether it was typed with a point or a comma.
function written(value) {
  const text = String(value ?? "");
  return /^[+-]?\d+([.,]\d+)?$/.test(text) ? number(Number(text.replace(",", ".")), 6) : text;
}
