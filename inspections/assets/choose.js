// The page around the map on which towers are chosen: what is drawn there becomes a filter.
const frame = document.querySelector("#choose");
const filters = document.querySelector(".filter-panel form");

window.addEventListener("message", (event) => {
  if (event.origin !== window.location.origin || event.source !== frame.contentWindow) return;
  const { area } = event.data || {};
  if (typeof area !== "string") return;
  for (const field of filters.querySelectorAll("[name=area]")) field.remove();
  if (area) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "area";
    field.value = area;
    filters.append(field);
  }
  filters.requestSubmit();
});
