// The checklist: counts answers, asks what depends on another answer, takes the position once.
import { _, ready } from "core/texts";

await ready;
const form = document.querySelector("#checklist");

function answered(item) {
  const fields = [...item.querySelectorAll("[name^='value.'], [name^='input.'], [name^='outcome.']")];
  return fields.some((field) => (field.type === "radio" ? field.checked : field.value.trim() !== ""));
}

function refresh() {
  let count = 0;
  for (const item of form.querySelectorAll("[data-item]")) {
    const condition = item.dataset.askedWhen;
    if (condition) item.hidden = form.elements[condition] ? form.elements[condition].value.trim() !== "" : false;
    const done = answered(item);
    item.classList.toggle("answered", done && !item.hidden);
    if (done && !item.hidden) count += 1;
  }
  document.querySelector("#answered").textContent = String(count);
}

form.addEventListener("input", refresh);
refresh();

// A second tap on a chosen answer takes it back.
for (const radio of form.querySelectorAll("input[type=radio]")) {
  let before = radio.checked;
  radio.closest("label").addEventListener("pointerdown", () => { before = radio.checked; });
  radio.addEventListener("click", () => {
    if (before) { radio.checked = false; refresh(); }
    before = radio.checked;
  });
}

const located = document.querySelector("#located");
document.querySelector("#locate").addEventListener("click", () => {
  located.textContent = _("Looking for the position…");
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      form.elements.position_latitude.value = coords.latitude.toFixed(7);
      form.elements.position_longitude.value = coords.longitude.toFixed(7);
      form.elements.position_accuracy.value = Math.round(coords.accuracy);
      located.textContent = `${coords.latitude.toFixed(5)}, ${coords.longitude.toFixed(5)} ± ${Math.round(coords.accuracy)} m`;
    },
    () => { located.textContent = _("The position was not found: allow it, or go outside."); },
    { enableHighAccuracy: true, timeout: 20000 },
  );
});
