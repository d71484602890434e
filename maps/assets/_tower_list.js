// The towers in the view of the map as a table, page by page; it is all that the map shows for those
// who do not see it. Every text from data is set with textContent.
import { _, number } from "core/texts";
import { element, load } from "./_elements.js";
import { conditionTexts, reasonTexts, sign } from "./_signs.js";

const severityTexts = () => ({ critical: _("Critical"), major: _("Major"), minor: _("Minor") });

function rowOf(tower) {
  // A tower of a past day may have left the register since.
  const link = tower.code ? element("a", { class: "main", href: `/towers/${encodeURIComponent(tower.code)}`, text: tower.code })
    : element("span", { class: "sub", text: _("No longer in the register, or not in your territory") });
  const condition = element("td", { class: tower.condition }, [
    element("div", { class: "standing-of" }, [sign(tower.condition), element("span", { text: conditionTexts()[tower.condition] })]),
  ]);
  if (tower.reason) condition.append(element("div", { class: "sub", text: reasonTexts()[tower.reason] }));
  if (tower.severity) condition.append(element("div", { class: `severity ${tower.severity}`, text: severityTexts()[tower.severity] }));
  const deadline = element("td");
  if (tower.deadline) {
    const day = tower.deadline.split("-").reverse().join("/");
    deadline.append(element("span", { class: tower.overdue ? "late" : "nowrap", text: day }));
    if (tower.overdue) deadline.append(element("div", { class: "sub", text: _("overdue") }));
  }
  return element("tr", { "data-tower": tower.id }, [
    element("th", { scope: "row" }, [link, element("div", { class: "sub", text: tower.name || "" })]), condition, deadline,
  ]);
}

// `looked` is told the tower of the row under the mouse or with the focus, or null; `made` each new
// row with its tower.
export function towerList({ looked, made = () => {} }) {
  const panel = document.querySelector("#map-list");
  const rows = document.querySelector("#list-rows");
  const said = document.querySelector("#list-count");
  const more = document.querySelector("#list-more");
  const box = panel.querySelector(".rows");
  // The day stands in the address while the slider moves.
  const filters = () => new URLSearchParams(window.location.search);
  let view = "";
  let listed = "";
  let following = null;
  let count = null;
  let running = null;

  const say = (...parts) => said.replaceChildren(...parts);
  function sayNumber() {
    const facts = { shown: number(rows.children.length), total: number(count.number) };
    if (count.tooMany) say(_("Of a day that is over no more than %(total)s towers are listed: come nearer, or filter.", facts));
    else if (!count.number) say(_("No tower in this view matches."));
    else say(count.more ? _("%(shown)s of more than %(total)s towers", facts) : _("%(shown)s of %(total)s towers", facts));
  }

  async function ask(cursor) {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const query = filters();
    query.set("bbox", view);
    if (cursor) query.set("cursor", cursor); else query.delete("cursor");
    rows.setAttribute("aria-busy", "true");
    const slow = window.setTimeout(() => say(_("Loading…")), 400);
    try {
      const page = await load(`/map/list.json?${query}`, { signal });
      const first = rows.children.length;
      if (!cursor) { rows.replaceChildren(); count = { ...page.count, tooMany: page.too_many }; box.scrollTop = 0; looked(null); }
      for (const tower of page.rows) {
        const row = rowOf(tower);
        for (const name of ["pointerenter", "focusin"]) row.addEventListener(name, () => looked(tower));
        for (const name of ["pointerleave", "focusout"]) row.addEventListener(name, () => looked(null));
        made(row, tower);
        rows.append(row);
      }
      following = page.next;
      more.hidden = !following;
      window.clearTimeout(slow);
      sayNumber();
      if (cursor) rows.children[first]?.querySelector("a")?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      listed = "";
      const again = element("button", { type: "button", class: "btn btn-sm btn-outline-primary", text: _("Try again") });
      again.addEventListener("click", () => ask(cursor));
      window.clearTimeout(slow);
      say(_("The towers could not be loaded."), " ", again);
    } finally {
      window.clearTimeout(slow);
      if (running.signal === signal) rows.removeAttribute("aria-busy");
    }
  }

  // A folded list asks for nothing.
  let soon = null;
  function refresh() {
    window.clearTimeout(soon);
    const wanted = `${view} ${filters().get("on") || ""}`;
    if (!panel.open || !view || wanted === listed) return;
    soon = window.setTimeout(() => { listed = wanted; ask(null); }, 250);
  }
  panel.addEventListener("toggle", refresh);
  more.addEventListener("click", () => ask(following));

  return {
    show(box_) { view = box_; refresh(); },
    refresh,
    // The rows of signs that are pointed at; the first of them comes into sight.
    mark(ids) {
      let first = null;
      for (const row of rows.children) {
        const here = ids.includes(row.dataset.tower);
        row.classList.toggle("marked", here);
        if (here && !first) first = row;
      }
      if (!first) return;
      const head = box.querySelector("thead").offsetHeight;
      const [top, bottom] = [first.offsetTop - head, first.offsetTop + first.offsetHeight];
      if (top < box.scrollTop) box.scrollTop = top;
      else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
    },
  };
}
