// The towers that were picked out: how many, and what is done with exactly these.
import { _, number } from "core/texts";
import { chosen, clear, ownedBy, textOf, whenChosen } from "./_basket.js";

export function showBasket() {
  const bar = document.querySelector("#basket");
  const said = document.querySelector("#basket-said");
  ownedBy(bar.dataset.reader);
  function show(ids) {
    bar.hidden = !ids.length;
    const text = ids.length ? _("Chosen towers: %(number)s", { number: number(ids.length) }) : _("No tower is chosen.");
    bar.querySelector("strong").textContent = text;
    for (const link of bar.querySelectorAll("a")) {
      const address = new URL(link.href);
      address.searchParams.set("towers", textOf(ids));
      link.href = address;
    }
    return text;
  }
  whenChosen((ids) => { said.textContent = show(ids); });
  bar.querySelector("button").addEventListener("click", () => {
    clear();
    document.querySelector("#map-list summary").focus();
  });
  show(chosen());
}
