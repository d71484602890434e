// The box in the bar: the first towers for what is typed, to be chosen by keys or by hand.
import { dist } from "core/dist";
import { _, number, ready } from "core/texts";

const box = document.querySelector("#search-q");

// "/" leads to the box from anywhere but a field that somebody types in.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// All above needs no texts: the key works before they have come.
await ready;
const WAIT = 150;
const list = document.querySelector("#search-found");
const said = document.querySelector("#search-said");
const SVG = "http://www.w3.org/2000/svg";
let asked = null;
let timer = 0;
let chosen = -1;

const options = () => [...list.querySelectorAll("[role=option]")];

function part(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function sign(condition) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${dist}/icons.svg#condition-${condition}`);
  made.append(use);
  return made;
}

function distance(metres) {
  return metres < 1000 ? `${number(metres)} m` : `${number(Math.round(metres / 100) / 10)} km`;
}

function close() {
  list.hidden = true;
  chosen = -1;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}

function choose(place) {
  const all = options();
  chosen = (place + all.length + 1) % (all.length + 1);
  // One step beyond the last stands the text itself, with nothing chosen.
  if (chosen === all.length) chosen = -1;
  all.forEach((one, number) => one.setAttribute("aria-selected", String(number === chosen)));
  if (chosen < 0) box.removeAttribute("aria-activedescendant");
  else box.setAttribute("aria-activedescendant", all[chosen].id);
}

function show({ items, nearly }) {
  const made = items.map((tower, number) => {
    const option = document.createElement("li");
    option.id = `search-found-${number}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.url = tower.url;
    const where = tower.metres === null ? tower.commune || "" : distance(tower.metres);
    option.append(sign(tower.condition), part("strong", tower.code), part("span", where, "sub"), part("span", tower.name, "name"));
    return option;
  });
  if (nearly && made.length) made.unshift(note(_("Nothing is written exactly so; these are like it:")));
  if (!made.length) made.push(note(_("No tower matches")));
  list.replaceChildren(...made);
  list.hidden = false;
  chosen = -1;
  box.setAttribute("aria-expanded", "true");
  box.removeAttribute("aria-activedescendant");
  said.textContent = items.length ? _("%(number)s towers below the box", { number: items.length }) : _("No tower matches");
}

function note(text) {
  const made = part("li", text, "note");
  made.setAttribute("role", "presentation");
  return made;
}

async function ask() {
  asked?.abort();
  const text = box.value.trim();
  if (!text) { close(); return; }
  asked = new AbortController();
  try {
    const answer = await fetch(`/search.json?q=${encodeURIComponent(text)}`, {
      headers: { Accept: "application/json" }, signal: asked.signal,
    });
    if (answer.ok) show(await answer.json()); else close();
  } catch (error) {
    // Another letter was typed, or the network is gone: Enter still leads to the list.
    if (error.name !== "AbortError") close();
  }
}

box.addEventListener("input", () => {
  window.clearTimeout(timer);
  timer = window.setTimeout(ask, WAIT);
});
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) { ask(); return; }
    if (event.key === "ArrowDown") choose(chosen + 1); else choose(chosen < 0 ? options().length - 1 : chosen - 1);
  } else if (event.key === "Enter" && chosen >= 0) {
    event.preventDefault();
    window.location.assign(options()[chosen].dataset.url);
  } else if (event.key === "Escape" && !list.hidden) {
    event.preventDefault();
    event.stopPropagation();
    close();
  } else if (event.key === "Tab") {
    close();
  }
});
list.addEventListener("pointerdown", (event) => event.preventDefault());
list.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) window.location.assign(option.dataset.url);
});
box.form.addEventListener("submit", () => { window.clearTimeout(timer); asked?.abort(); });
box.addEventListener("blur", () => { window.clearTimeout(timer); asked?.abort(); close(); });
