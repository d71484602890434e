// The towers as they were at the end of a day that is over: a slider over the days, and a player.
// `map.pastDay` is the day that is shown, empty for today; the layers hear of it as "pastday".
import { _, ready } from "core/texts";
import { element, language, load } from "./_elements.js";

const { L } = window;
const DAY_MS = 86400000;
// So far back the slider goes, and so long each day is looked at while it plays.
const YEARS = 2;
const PAUSE_MS = 900;
// A hand that drags passes many days: it is asked for where it rests.
const REST_MS = 200;

const dayOf = (text) => new Date(`${text}T00:00:00Z`);
const textOf = (day) => day.toISOString().slice(0, 10);
const earlier = (day, days) => new Date(day.getTime() - days * DAY_MS);
const said = (text) => new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" }).format(dayOf(text));

// The days that a step reaches, the last of them today.
function daysBy(step, first, today) {
  const days = [];
  if (step === "month") {
    const end = new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 0));
    for (let day = end; day >= first; day = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 0))) days.push(day);
  } else {
    const length = step === "week" ? 7 : 1;
    for (let day = earlier(today, length); day >= first; day = earlier(day, length)) days.push(day);
  }
  return [...days.reverse(), today].map(textOf);
}

const button = (text, sign, act) => {
  const made = element("button", { type: "button", title: text, "aria-label": text }, sign ? [sign] : [text]);
  made.addEventListener("click", act);
  return made;
};

class Player {
  constructor(map, { first, today, retold_until: retoldUntil }) {
    this.map = map;
    this.today = today;
    const reach = new Date(dayOf(today));
    reach.setUTCFullYear(reach.getUTCFullYear() - YEARS);
    this.first = dayOf(first) > reach ? dayOf(first) : reach;
    this.known = first;
    this.retoldUntil = retoldUntil;
    this.playing = false;
    this.line = element("strong", { class: "time-line", role: "status" });
    this.notes = element("ul", {});
    this.chosen = element("div", { class: "time-chosen", hidden: "" });
    this.range = element("input", { type: "range", min: "0", step: "1", "aria-label": _("Day") });
    this.step = element("select", { "aria-label": _("Step") }, [
      element("option", { value: "month", text: _("by month") }),
      element("option", { value: "week", text: _("by week") }),
      element("option", { value: "day", text: _("by day") }),
    ]);
    this.step.value = "week";
    this.date = element("input", { type: "date", min: textOf(this.first), max: today, "aria-label": _("Show the day") });
    this.play = button(_("Play"), "▶", () => (this.playing ? this.stop() : this.start()));
    this.back = button(_("Back to today"), "", () => this.moveTo(this.today));
    this.back.className = "time-today";
    this.range.addEventListener("input", () => this.moveTo(this.days[this.range.value], REST_MS));
    this.step.addEventListener("change", () => this.measure());
    this.date.addEventListener("change", () => this.moveTo(this.date.value && this.date.checkValidity() ? this.date.value : this.day));
    map.on("towerscounted", ({ counts }) => {
      if (!this.day) return;
      this.byToday = counts.by_today || [];
      this.say();
      if (this.playing) this.next = window.setTimeout(() => this.go(1), PAUSE_MS);
    });
    this.day = today;
    this.measure();
  }

  box(close) {
    return element("section", { class: "time-slider", "aria-label": _("Towers on a past day") }, [
      element("div", { class: "time-head" }, [this.line, this.back, button(_("Close"), "✕", close)]),
      element("div", { class: "time-row" }, [
        button(_("One step back"), "◀", () => { this.stop(); this.go(-1); }), this.play,
        button(_("One step on"), "▶|", () => { this.stop(); this.go(1); }),
        this.range, this.step, this.date,
      ]),
      this.chosen,
      element("details", { class: "time-notes" }, [element("summary", { text: _("What this shows") }), this.notes]),
    ]);
  }

  // The steps that the slider has; the day that is shown stays, beside a step or on it.
  measure() {
    this.days = daysBy(this.step.value, this.first, dayOf(this.today));
    this.range.max = String(this.days.length - 1);
    this.say();
  }

  go(steps) {
    const after = this.days.findIndex((day) => day > this.day);
    const last = this.days.length - 1;
    const on = after < 0 ? last : after;
    const at = this.days.indexOf(this.day);
    const next = steps > 0 ? on : Math.max(0, (at < 0 ? on : at) - 1);
    this.show(this.days[next]);
    if (next === last && steps > 0) this.stop();
  }

  start() {
    this.playing = true;
    this.line.setAttribute("aria-live", "off");
    if (this.day === this.today) this.show(this.days[0]); else this.go(1);
  }

  stop() {
    this.playing = false;
    window.clearTimeout(this.next);
    this.line.removeAttribute("aria-live");
    this.say();
  }

  // What the reader asks for ends the play.
  moveTo(day, rest = 0) {
    this.stop();
    this.show(day, rest);
  }

  show(day, rest = 0) {
    this.day = day;
    this.say();
    window.clearTimeout(this.asking);
    this.asking = window.setTimeout(() => tell(this.map, day === this.today ? "" : day), rest);
  }

  say() {
    const past = this.day !== this.today;
    const nearest = this.days.findIndex((day) => day >= this.day);
    this.range.value = String(nearest < 0 ? this.days.length - 1 : nearest);
    this.range.setAttribute("aria-valuetext", past ? said(this.day) : _("Today"));
    this.date.value = this.day;
    this.line.textContent = past ? _("As it was at the end of %(day)s, not as it is today", { day: said(this.day) }) : _("Today");
    this.line.parentElement?.parentElement.classList.toggle("past", past);
    this.back.hidden = !past;
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.title = this.playing ? _("Pause") : _("Play");
    this.play.setAttribute("aria-label", this.play.title);
    const names = past && this.byToday ? this.byToday.map(filterText) : [];
    this.chosen.hidden = !names.length;
    this.chosen.textContent = _("Chosen by what the register says today, which it did not keep: %(filters)s", { filters: names.join(", ") });
    const notes = [
      _("Known since %(day)s.", { day: said(this.known) }),
      _("Only the towers and the list beside the map are shown as they were; other layers are of today."),
    ];
    if (this.retoldUntil) notes.push(_("Before %(day)s the history was worked out from inspections and violations.", { day: said(this.retoldUntil) }));
    this.notes.replaceChildren(...notes.map((text) => element("li", { text })));
  }
}

const filterText = (name) => ({
  q: _("search text"), manager: _("manager"), operator: _("operator"), service: _("services"),
  managing_department: _("managing department"), built_before: _("year built"),
  height_from: _("height"), height_to: _("height"),
}[name] || name);

// The address of the page keeps the day, so that it can be shared and comes back.
function tell(map, day) {
  map.pastDay = day;
  const { history, location } = window.parent;
  const query = new URLSearchParams(location.search);
  if (day) query.set("on", day); else query.delete("on");
  history.replaceState(null, "", `${location.pathname}${String(query) && `?${query}`}${location.hash}`);
  map.closePopup();
  map.fire("pastday", { day });
}

export function addTimeSlider(map) {
  const asked = new URLSearchParams(window.location.search).get("on") || "";
  map.pastDay = asked;
  const control = L.control({ position: "bottomleft" });
  const box = element("div", { class: "time" });
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  control.onAdd = () => box;
  let player = null;
  const shut = () => {
    player?.stop();
    if (map.pastDay) tell(map, "");
    const open = button(_("Past days"), "", begin);
    open.className = "time-open";
    box.replaceChildren(open);
  };
  async function begin() {
    try {
      player = new Player(map, await load("/map/history.json"));
    } catch {
      box.replaceChildren(_("This could not be loaded. Try again."), button(_("Try again"), "", begin));
      return;
    }
    box.replaceChildren(player.box(() => { shut(); box.firstChild.focus(); }));
    if (map.pastDay < player.today) player.day = map.pastDay || player.today;
    else map.pastDay = "";
    player.say();
    player.range.focus({ preventScroll: true });
  }
  ready.then(() => {
    control.addTo(map);
    if (asked) begin(); else shut();
  });
}
