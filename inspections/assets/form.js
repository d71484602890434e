// The checklist: counts answers, asks what depends on another answer, takes the position once.
import { onLocated } from "core/geolocation";
import { ready } from "core/texts";

await ready;
const form = document.querySelector("#checklist");

function answered(item) {
  const fields = [...item.querySelectorAll("[name^='value.'], [name^='input.'], [name^='outcome.']")];
  return fields.some((field) => (field.type === "radio" ? field.checked : field.value.trim() !== ""));
}

function leftOut(item) {
  return item.querySelector("[name^='outcome.']").value !== "";
}

// Only a yes or no is judged here, as a hint; the service judges every answer.
function fails(item) {
  const chosen = item.querySelector("[name^='value.']:checked");
  return Boolean(item.dataset.pass && chosen && chosen.value !== item.dataset.pass);
}

// What is checked in another way than the visit is made stays unexamined, and is not sent.
function reach() {
  for (const item of form.querySelectorAll("[data-item]")) {
    item.disabled = !form.querySelector(`[name="methods"][value="${item.dataset.how}"]`).checked;
  }
}

function refresh() {
  reach();
  let total = 0;
  let count = 0;
  for (const group of form.querySelectorAll("[data-group]")) {
    let asked = 0;
    let done = 0;
    for (const item of group.querySelectorAll("[data-item]")) {
      const condition = form.elements[item.dataset.askedWhen];
      item.hidden = Boolean(condition && condition.value.trim());
      if (item.hidden || item.disabled) continue;
      asked += 1;
      const has = answered(item);
      if (has) done += 1;
      item.classList.toggle("answered", has);
      item.classList.toggle("left-out", has && leftOut(item));
      item.classList.toggle("fails", !leftOut(item) && fails(item));
    }
    const part = form.querySelector(`[data-part="${group.dataset.group}"]`);
    part.textContent = `${done}/${asked}`;
    part.parentElement.classList.toggle("done", asked > 0 && done === asked);
    // What a re-inspection may find beside its violations is not asked for.
    if ("more" in group.dataset) continue;
    total += asked;
    count += done;
  }
  form.querySelector("#answered").textContent = String(count);
  form.querySelector("#asked").textContent = String(total);
}

form.addEventListener("input", refresh);
refresh();

form.addEventListener("change", (event) => {
  const item = event.target.closest("[data-item][data-photo]");
  const more = item?.querySelector("details");
  if (more && event.target.type === "radio" && fails(item)) more.open = true;
});

// A second tap on a chosen answer takes it back. Arrow keys choose too: they never take back.
for (const radio of form.querySelectorAll("input[type=radio]")) {
  let chosen = false;
  radio.closest("label").addEventListener("pointerdown", () => { chosen = radio.checked; });
  radio.addEventListener("click", () => {
    if (chosen) { radio.checked = false; refresh(); }
    chosen = false;
  });
}

const located = document.querySelector("#located");

function showPosition() {
  const [latitude, longitude, accuracy] = ["latitude", "longitude", "accuracy"]
    .map((name) => form.elements[`position_${name}`].value);
  if (!latitude) return;
  const about = accuracy ? ` ± ${Math.round(Number(accuracy))} m` : "";
  located.textContent = `${Number(latitude).toFixed(5)}, ${Number(longitude).toFixed(5)}${about}`;
}
showPosition();

onLocated(document.querySelector("#locate"), located, (coords) => {
  form.elements.position_latitude.value = coords.latitude.toFixed(7);
  form.elements.position_longitude.value = coords.longitude.toFixed(7);
  form.elements.position_accuracy.value = Math.round(coords.accuracy);
  showPosition();
});

// What the camera has made in this minute was taken here; other files may come from anywhere.
form.addEventListener("change", (event) => {
  const field = event.target;
  if (field.type !== "file") return;
  for (const old of form.querySelectorAll("[name=camera]")) if (old.dataset.of === field.name) old.remove();
  for (const file of field.files) {
    if (Math.abs(Date.now() - file.lastModified) > 60_000) continue;
    const mark = document.createElement("input");
    Object.assign(mark, { type: "hidden", name: "camera", value: `${field.name}/${file.name}` });
    mark.dataset.of = field.name;
    form.append(mark);
  }
});

// The clock of the device, and the end of a visit that is submitted where it was made.
form.addEventListener("submit", (event) => {
  const now = new Date();
  form.elements.device_at.value = now.toISOString();
  const end = form.elements.ended_at;
  if (event.submitter?.value === "submit" && !end.value && form.elements.inspected_on.value === localDay(now)) {
    end.value = `${localDay(now)}T${now.toTimeString().slice(0, 5)}`;
  }
}, true);

function localDay(moment) {
  return `${moment.getFullYear()}-${String(moment.getMonth() + 1).padStart(2, "0")}-${String(moment.getDate()).padStart(2, "0")}`;
}
