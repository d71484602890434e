// This phone: what was fetched for offline use, room, language, and whose it is.
import { _ } from "core/texts";
import { choose, language, signInAt } from "./language.js";
import { fetchTerritory, size } from "./pack.js";
import { unfinished } from "./drafts.js";
import { askToLast, fact, isFull, room } from "./store.js";
import { signOut } from "./session.js";
import { bytes, html, icon, moment, nothing, number } from "./show.js";

// Each language by its own name.
const nameOf = (one) => new Intl.DisplayNames([one], { type: "language" }).of(one);
export const languages = () => html`<div class="choices two" role="group" aria-label=${_("Language")}>${["vi", "en"].map((one) => html`
  <button type="button" class="choice" lang=${one} aria-pressed=${language === one} @click=${() => choose(one)}>${nameOf(one)}</button>`)}</div>`;

const usedOf = ({ used, allowed }) => _("Used: %(used)s of %(allowed)s", { used: bytes(used), allowed: bytes(allowed) });
const REASONS = {
  offline: () => _("There is no network: what was fetched before still works."),
  signed_out: () => _("Signed out: sign in again first."),
  failing: () => _("The service is not ready: try again later."),
};

export async function open({ account, db, draw }) {
  let [at, towers, queued, drafts, disk] = await Promise.all([fact(db, "territory_at"), db.towers.count(), db.queue.count(), unfinished(db), room()]);
  let wanted = null;
  let progress = null;
  let trouble = "";

  const attempt = async (work) => {
    trouble = "";
    try {
      await work();
    } catch (error) {
      if (!error.kind && !isFull(error)) throw error;
      trouble = isFull(error) ? _("The phone's storage is full: free some room, then try again.") : REASONS[error.kind]?.() || error.message;
    } finally {
      progress = null;
      draw();
    }
  };
  const look = () => attempt(async () => { progress = [0, 0]; draw(); wanted = await size(account, db); });
  const take = () => attempt(async () => {
    await askToLast();
    await fetchTerritory(account, db, (done, total) => { progress = [done, total]; draw(); });
    [at, towers, disk] = await Promise.all([fact(db, "territory_at"), db.towers.count(), room()]);
    wanted = null;
  });
  const last = async () => { await askToLast(); disk = await room(); draw(); };
  const leave = async () => {
    const left = queued + drafts.length;
    const question = left
      ? _("Sign out? %(count)s records wait on this phone. They stay here and go on when you sign in again.", { count: number(left) })
      : _("Sign out on this phone?");
    if (!window.confirm(question)) return;
    await signOut(account.id);
    window.location.hash = "";
    window.location.reload();
  };

  return {
    title: _("This phone"),
    body: () => html`
      <section class="block"><h2>${_("For offline use")}</h2>
        ${at ? html`<p class="mb-2">${icon("success")} ${_("Towers on this phone: %(count)s", { count: number(towers) })}<br><span class="sub">${_("Fetched %(moment)s", { moment: moment(at) })}</span></p>` : html`<p>${_("Towers, checklists, the map and earlier photos of your territory are kept on the phone, so that everything works without a network.")}</p>`}
        ${wanted ? html`<p class="size"><strong>${_("Towers: %(count)s", { count: number(wanted.towers) })} · ${_("about %(size)s", { size: bytes(wanted.bytes) })}</strong></p><button type="button" class="btn btn-primary wide" ?disabled=${Boolean(progress)} @click=${take}>${icon("download")} ${_("Fetch now")}</button>`
        : html`<button type="button" class="btn ${at ? "btn-outline-primary" : "btn-primary"} wide" ?disabled=${Boolean(progress)} @click=${look}>${icon("download")} ${at ? _("Fetch again") : _("How much is it?")}</button>`}
        ${progress ? html`<progress class="wide" max=${progress[1] || 1} value=${progress[0]} aria-label=${_("Fetching…")}></progress><p class="sub" role="status">${progress[1] ? `${number(progress[0])} / ${number(progress[1])}` : _("One moment…")}</p>` : nothing}
        ${trouble ? html`<p class="wrong" role="alert">${trouble}</p>` : nothing}</section>
      <section class="block"><h2>${_("Room on the phone")}</h2>
        <p class="mb-2">${disk.used === null ? _("The browser does not say.") : usedOf(disk)}</p>
        <p class="mb-0">${disk.lasting ? html`${icon("safe")} ${_("The browser promises to keep what is stored here.")}` : html`${icon("warning")} ${_("The browser may delete what is stored here when the phone is full.")} <button type="button" class="btn btn-outline-primary wide mt-2" @click=${last}>${_("Ask it to keep everything")}</button>`}</p></section>
      <section class="block"><h2>${_("Language")}</h2>${languages()}</section>
      <section class="block"><h2>${account.name}</h2><p class="sub">${account.email}</p>
        ${account.refused ? html`<a class="btn btn-primary wide mb-2" href=${signInAt}>${_("Sign in again")}</a>` : nothing}
        <button type="button" class="btn btn-outline-danger wide" @click=${leave}>${icon("sign-out")} ${_("Sign out on this phone")}</button></section>
      <p class="px-2"><a class="btn btn-outline-primary wide" href="/">${_("To the ordinary pages")}</a></p>`,
  };
}
