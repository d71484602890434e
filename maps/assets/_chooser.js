// The button that picks a tower out, and puts it back.
import { _, number } from "core/texts";
import { isChosen, MOST_CHOSEN, toggle, whenChosen } from "./_basket.js";
import { element } from "./_elements.js";

// `short` is a sign alone, with the code for those who hear it.
export function chooser(tower, { short = false } = {}) {
  const button = element("button", { type: "button", class: short ? "chooser short" : "chooser" });
  const show = () => {
    const chosen = isChosen(tower.id);
    button.setAttribute("aria-pressed", String(chosen));
    if (short) {
      button.textContent = chosen ? "✓" : "+";
      button.setAttribute("aria-label", _("Add %(code)s to the chosen towers", { code: tower.code }));
      button.title = chosen ? _("Take off the list") : _("Add to the list");
    } else button.textContent = chosen ? `✓ ${_("Take off the list")}` : `+ ${_("Add to the list")}`;
  };
  button.addEventListener("click", () => {
    if (!toggle(tower.id)) window.alert(_("At most %(most)s towers can be picked out. Draw an area or use the filters for more.", { most: number(MOST_CHOSEN) }));
  });
  // A row or a popup that is gone listens no more.
  const stop = whenChosen(() => { if (button.isConnected) show(); else stop(); });
  show();
  return button;
}
