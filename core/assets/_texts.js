// Texts of scripts in the reader's language; an English text that has no translation stays itself.
const language = document.documentElement.lang || "vi";
let texts = {};

export const ready = language === "en"
  ? Promise.resolve()
  : fetch(`/static/dist/texts.${language}.json`)
    .then((answer) => (answer.ok ? answer.json() : {}))
    .then((loaded) => { texts = loaded; });

export function _(text, values = {}) {
  return (texts[text] || text).replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}
