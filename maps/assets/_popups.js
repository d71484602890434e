// What is chosen on a map, by hand or by keyboard, and what is then said of it.
import { _, number } from "core/texts";
import { element, load } from "./_elements.js";
import { conditionTexts, reasonTexts, sign } from "./_signs.js";

const { L } = window;
// Beside the controls at the left.
const POPUP = { minWidth: 220, autoPanPaddingTopLeft: [12, 72] };

const dayText = (day) => day.split("-").reverse().join("/");

// How a tower was on a day that is over; what else is known of it is of today.
function detailsThen({ condition, overdue, now }, day) {
  const then = element("div", { class: "popup past" }, [
    element("div", { text: _("At the end of %(day)s", { day: dayText(day) }) }),
    element("div", { class: "condition" }, [sign(condition), conditionTexts()[condition] + (overdue ? ` – ${_("overdue")}` : "")]),
  ]);
  const today = now ? [element("div", { class: "sub", text: _("Today") }), details(now)]
    : [element("div", { text: _("This tower is no longer in the register, or not in your territory.") })];
  return element("div", {}, [then, ...today]);
}

function details(tower) {
  const condition = element("div", { class: "condition" }, [sign(tower.condition)]);
  const reason = tower.condition_reason ? ` (${reasonTexts()[tower.condition_reason]})` : "";
  condition.append(conditionTexts()[tower.condition] + reason);
  const facts = [
    [_("Commune"), tower.commune && tower.commune.name],
    [_("Owner"), tower.owner && tower.owner.name],
    [_("Open violations"), tower.open_violations ? number(tower.open_violations) : null],
    [_("Next deadline"), tower.next_deadline
      && dayText(tower.next_deadline) + (tower.overdue ? ` – ${_("overdue")}` : "")],
  ].filter(([, value]) => value);
  const list = element("dl");
  for (const [name, value] of facts) list.append(element("dt", { text: name }), element("dd", { text: value }));
  return element("div", { class: "popup" }, [
    element("h3", { text: `${tower.code} · ${tower.name}` }),
    condition,
    list,
    // Who took the document along may be far from the service.
    ...(tower.taken ? [] : [element("a", { href: `/towers/${encodeURIComponent(tower.code)}`, target: "_top", text: _("Open the tower") })]),
  ]);
}

// A click or a tap, and Enter or Space on a sign that has the focus.
export function whenChosen(marker, act) {
  marker.on("click", () => act(false));
  marker.on("keydown", ({ originalEvent }) => {
    if (originalEvent.key !== "Enter" && originalEvent.key !== " ") return;
    originalEvent.preventDefault();
    act(true);
  });
}

// The sign that was chosen may be drawn anew: by keyboard the focus goes on into the popup.
function focusInto(popup) {
  const element = popup.getElement();
  const first = element && element.querySelector(".popup a, .popup button");
  if (first) first.focus();
}

export async function showTower(map, place, id, byKeyboard) {
  const popup = L.popup(POPUP).setLatLng(place).setContent(element("div", { text: _("Loading…") })).openOn(map);
  try {
    const day = map.pastDay;
    const tower = await load(day ? `/map/history/${id}.json?on=${day}` : `/map/towers/${id}.json`);
    const box = day ? detailsThen(tower, day) : details(tower);
    // A map may add what can be done with a tower there; a day that is over is only looked at.
    if (!day) map.fire("toweropened", { tower, box });
    popup.setContent(box);
  } catch {
    popup.setContent(element("div", { text: _("This could not be loaded. Try again.") }));
  }
  if (byKeyboard) focusInto(popup);
}

export function showChoice(map, place, towers, byKeyboard) {
  const list = element("div", { class: "popup" }, [
    element("h3", { text: _("%(number)s towers at this spot", { number: number(towers.length) }) }),
  ]);
  for (const { id, condition } of towers.slice(0, 50)) {
    const button = element("button", { type: "button" }, [sign(condition), ` ${conditionTexts()[condition]}`]);
    button.addEventListener("click", (event) => showTower(map, place, id, event.detail === 0));
    list.append(button);
  }
  const popup = L.popup(POPUP).setLatLng(place).setContent(list).openOn(map);
  if (byKeyboard) focusInto(popup);
}
