// Texts of scripts in the reader's language; an English text that has no translation stays itself.
import { dist } from "core/dist";
import { held } from "core/held";

const language = document.documentElement.lang || "vi";
let texts = {};

export const ready = language === "en"
  ? Promise.resolve()
  : asked(`${dist}/texts.${language}.json`).then((loaded) => { texts = loaded; });

async function asked(address) {
  const kept = held(address);
  if (kept) return kept;
  const answer = await fetch(address);
  return answer.ok ? answer.json() : {};
}

export function _(text, values = {}) {
  return (texts[text] || text).replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}
