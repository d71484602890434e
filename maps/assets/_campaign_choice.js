// The campaigns to which the towers of the map can be added, asked for when somebody looks.
import { _ } from "core/texts";
import { element, load } from "./_elements.js";

export function offerCampaigns() {
  const menu = document.querySelector("#to-campaign");
  menu?.addEventListener("toggle", async () => {
    if (!menu.open || menu.dataset.asked) return;
    menu.dataset.asked = "1";
    const sheet = menu.querySelector(".sheet");
    const said = element("p", { class: "sub mb-0 p-2", role: "status", text: _("Loading…") });
    sheet.append(said);
    // The towers are those of the link above.
    const { search } = new URL(sheet.querySelector("a").href);
    try {
      const { campaigns } = await load("/map/campaigns.json");
      said.textContent = campaigns.length ? _("Or add them to a campaign:") : _("No campaign is planned or running.");
      sheet.append(...campaigns.map(({ id, name }) => element("a", { href: `/campaigns/${id}/towers${search}`, text: name })));
    } catch {
      delete menu.dataset.asked;
      said.textContent = _("This could not be loaded. Try again.");
    }
  });
}
