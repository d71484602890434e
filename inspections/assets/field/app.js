// The frame of the app: who is signed in, which screen is open, what waits to be sent.
import { render } from "lit-html";
import { _ } from "core/texts";
import { signInAt } from "./language.js";
import { fetchWork } from "./pack.js";
import { fact, storeOf } from "./store.js";
import { ACCOUNT, active, canFetch, waitingOfOthers } from "./session.js";
import { html, icon, nothing, number } from "./show.js";
import { keepSending, onChange } from "./sync.js";
import * as work from "./work.js";
import * as towers from "./towers.js";
import * as tower from "./tower.js";
import * as visit from "./form.js";
import * as map from "./map.js";
import * as sending from "./sending.js";
import * as phone from "./phone.js";
import * as proposal from "./proposal.js";

const SCREENS = { work, towers, tower, visit, map, sending, phone, proposal };
const TABS = [
  ["work", "assignment", () => _("Work")],
  ["towers", "tower", () => _("Towers")],
  ["map", "map", () => _("Map")],
  ["sending", "sync", () => _("Sending")],
  ["phone", "phone", () => _("This phone")],
];
const STALE_MS = 15 * 60_000;

let root;
let account = null;
let screen = null;
let name = "work";
let waiting = 0;
let others = { things: 0, people: 0 };
let newer = null;

export async function start(element) {
  root = element;
  account = await active();
  others = await waitingOfOthers(account?.id);
  register();
  window.addEventListener("hashchange", open);
  for (const event of ["online", "offline"]) window.addEventListener(event, draw);
  onChange(look);
  window.addEventListener(ACCOUNT, look);
  keepSending();
  await open();
  if (account) refreshWork();
}

async function register() {
  if (!navigator.serviceWorker) return;
  try {
    const registration = await navigator.serviceWorker.register("/field/worker.js", { scope: "/field", updateViaCache: "none" });
    registration.addEventListener("updatefound", () => {
      const found = registration.installing;
      found?.addEventListener("statechange", () => {
        if (found.state === "installed" && navigator.serviceWorker.controller) { newer = found; draw(); }
      });
    });
  } catch (error) {
    console.warn(`no service worker: ${error.message}`);
  }
}

// The work list comes along whenever there is a network, and is never waited for.
async function refreshWork() {
  const db = storeOf(account.id);
  // Fetched in what is the future by now: the clock has been put right since.
  const age = Date.now() - (await fact(db, "work_at", 0));
  if (!canFetch(account) || (age >= 0 && age < STALE_MS)) return;
  try {
    await fetchWork(account, db);
    if (name === "work") await open();
  } catch (error) {
    if (!error.kind) throw error;
  }
}

// Something was sent or refused: the number in the bar, and the screen that shows it.
async function look() {
  account = await active();
  await count();
  await screen?.changed?.();
  draw();
}

async function count() {
  waiting = account ? await storeOf(account.id).queue.count() : 0;
}

export const go = (place) => { window.location.hash = `#/${place}`; };

let turn = 0;

async function open() {
  turn += 1;
  const mine = turn;
  screen?.leave?.();
  screen = null;
  const [, wanted = "work", ...rest] = window.location.hash.split("/");
  name = SCREENS[wanted] ? wanted : "work";
  await count();
  if (account) {
    const made = await SCREENS[name].open({ account, db: storeOf(account.id), draw, go, again: open }, ...rest.map(decodeURIComponent));
    if (mine !== turn) { made.leave?.(); return; }
    screen = made;
  }
  draw();
  window.scrollTo(0, 0);
  screen?.shown?.();
}

function draw() {
  render(account ? page() : welcome(), root);
  document.title = `${account && screen ? screen.title : _("Field app")} · Tháp Canh`;
}

const page = () => html`
  <header class="app-bar">
    ${screen?.back ? html`<a class="touch" href="#/${screen.back}" aria-label=${_("Back")}>${icon("back")}</a>` : html`<img class="logo" src="${logo()}" alt="">`}
    <h1>${screen?.title || "Tháp Canh"}</h1>
    ${navigator.onLine ? nothing : html`<span class="chip off">${icon("offline")} ${_("No network")}</span>`}
    ${screen?.chip?.() || nothing}
  </header>
  ${newer ? html`<div class="strip">${_("A new version of the app is here.")} <button type="button" class="btn btn-sm btn-light" @click=${takeNewer}>${_("Use it now")}</button></div>` : nothing}
  ${account.refused ? html`<div class="strip warn" role="alert">${_("Signed out: nothing is lost, but nothing is sent until you sign in again.")} <a class="btn btn-sm btn-light" href=${signInAt}>${_("Sign in")}</a></div>` : nothing}
  <main id="content">${screen ? screen.body() : html`<p class="sub p-3" role="status">${_("One moment…")}</p>`}</main>
  ${screen?.footer ? screen.footer() : nothing}
  ${screen?.alone ? nothing : html`<nav class="tabs" aria-label=${_("Main menu")}>${TABS.map(([key, sign, text]) => html`
    <a href="#/${key}" aria-current=${key === name ? "page" : nothing}>${icon(sign)}<span>${text()}</span>${key === "sending" && waiting ? html`<b class="count">${number(waiting)}</b>` : nothing}</a>`)}</nav>`}`;

const logo = () => document.querySelector("link[rel=icon]").href;

function takeNewer() {
  navigator.serviceWorker.addEventListener("controllerchange", () => window.location.reload(), { once: true });
  newer.postMessage("take over");
}

const welcome = () => html`
  <main class="welcome">
    <img src="${logo()}" alt="">
    <h1>Tháp Canh</h1>
    <p>${_("Inspect towers where there is no signal. Every answer is kept on this phone at once and goes to the department as soon as there is a network.")}</p>
    <a class="btn btn-primary wide" href=${signInAt}>${_("Sign in")}</a>
    ${navigator.onLine ? nothing : html`<p class="sub">${_("Signing in needs a network; everything after that does not.")}</p>`}
    ${others.things ? html`<p class="note">${icon("info")} ${_("On this phone %(things)s records wait until their owners sign in again. They are safe, and nobody else sees them.", { things: number(others.things) })}</p>` : nothing}
    ${phone.languages()}
  </main>`;
