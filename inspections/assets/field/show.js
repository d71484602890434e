// Small things that every screen shows: signs, words, days, metres, bytes. Texts from data are
// always texts: lit-html never parses them as markup.
import { html, nothing, svg } from "lit-html";
import { dist } from "core/dist";
import { _ } from "core/texts";
import { language } from "./language.js";
import { bearing, distance, pointOf } from "./position.js";
import { WORDS } from "./words.js";

export { html, nothing };

// A text that stands somewhere else as a literal: a word of a vocabulary, what a rule says.
export const translated = _;

export const icon = (name) => html`<svg class="icon" aria-hidden="true">${svg`<use href="${dist}/icons.svg#${name}"></use>`}</svg>`;

// The word for a value of a vocabulary; a value that is not known yet stays itself.
export const word = (value, vocabulary) => translated(WORDS[vocabulary]?.[value] || String(value ?? ""));

// A text of the checklist in the reader's language.
export const inWords = (text) => text?.[language] || text?.vi || "";

const DAY = new Intl.DateTimeFormat(language === "en" ? "en-GB" : "vi-VN", { day: "2-digit", month: "2-digit", year: "numeric", timeZone: "Asia/Ho_Chi_Minh" });
const TIME = new Intl.DateTimeFormat(language === "en" ? "en-GB" : "vi-VN", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Ho_Chi_Minh" });
export const day = (value) => (value ? DAY.format(new Date(value)) : "");
export const moment = (value) => (value ? `${TIME.format(new Date(value))} ${day(value)}` : "");

export const number = (value, digits = 0) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
export const metres = (value) => (value < 950 ? `${number(value < 20 ? Math.round(value) : Math.round(value / 10) * 10)} m` : `${number(value / 1000, 1)} km`);
export function bytes(value) {
  if (value < 950_000) return `${number(Math.max(1, value / 1000))} kB`;
  return value < 950_000_000 ? `${number(value / 1_000_000, 1)} MB` : `${number(value / 1_000_000_000, 1)} GB`;
}

const DIRECTIONS = {
  N: () => _("north"), NE: () => _("north-east"), E: () => _("east"), SE: () => _("south-east"),
  S: () => _("south"), SW: () => _("south-west"), W: () => _("west"), NW: () => _("north-west"),
};

// How far something is and in which direction, with an arrow; nothing where either is not known.
export function way(from, to) {
  if (!from || to?.latitude === null || to?.latitude === undefined) return nothing;
  const degrees = bearing(from, to);
  return html`<span class="way"><svg class="icon arrow" aria-hidden="true" viewBox="0 0 16 16" style="transform: rotate(${Math.round(degrees)}deg)">${svg`<path fill="currentColor" d="M8 1l5 13-5-3-5 3z"></path>`}</svg> ${metres(distance(from, to))} · ${DIRECTIONS[pointOf(degrees)]()}</span>`;
}

export const condition = (value) => html`<span class="state ${value}">${icon(`condition-${value}`)} ${word(value, "condition")}</span>`;
export const severity = (value) => html`<span class="severity ${value}">${icon(`severity-${value}`)} ${word(value, "severity")}</span>`;

export const empty = (sign, title, more = nothing) => html`<div class="empty">${icon(sign)}<h3>${title}</h3>${more}</div>`;

// Object addresses of pictures, each made once.
const addresses = new WeakMap();
export function addressOf(blob) {
  if (!addresses.has(blob)) addresses.set(blob, URL.createObjectURL(blob));
  return addresses.get(blob);
}
