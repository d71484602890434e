// The photos of an item: taken now, or chosen from what the phone has and marked as such.
import { _ } from "core/texts";
import { fromFile, fromVideo } from "./camera.js";
import { isFull } from "./store.js";
import { addressOf, bytes, html, icon, nothing, word } from "./show.js";

// `earlier` are the ids of photos of the violation that is re-inspected.
export function photosOfItem(form, key, { needed = false, earlier = [], more = nothing } = {}) {
  const own = form.visit.photos.filter((one) => one.item === key);
  const before = earlier.map((id) => form.pictures.get(id)).filter(Boolean);
  const originals = form.visit.draft.originals.filter((one) => one.item === key).length;
  const wanted = needed && !own.length && !originals;
  const choose = (camera) => (event) => { form.addPhotos(key, [...event.target.files], camera); event.target.value = ""; };
  return html`<div class="item-photos ${wanted ? "wanted" : ""}">
    ${before.length ? html`<div class="beside"><div><span class="form-label">${_("Before")}</span>${before.map((blob) => html`<img class="earlier" src=${addressOf(blob)} alt=${_("Earlier photo")}>`)}</div>
      <div><span class="form-label">${_("Now")}</span>${own.length ? own.map((one) => thumb(form, one)) : html`<button type="button" class="frame" @click=${() => openCamera(form, key, before[0])}>${icon("camera")}<span>${_("Take it from the same place")}</span></button>`}</div></div>`
    : html`<div class="thumbs">${own.map((one) => thumb(form, one))}</div>`}
    ${originals ? html`<p class="sub mb-1">${_("Photos sent before: %(count)s", { count: originals })}</p>` : nothing}
    ${wanted ? html`<p class="wrong mb-1">${icon("camera")} ${_("This answer needs at least one photo")}</p>` : nothing}
    <div class="acts">
      <label class="btn ${wanted ? "btn-primary" : "btn-outline-primary"}">${icon("camera")} ${_("Photo")}<input class="visually-hidden" type="file" accept="image/*" capture="environment" @change=${choose(true)}></label>
      <label class="btn btn-outline-primary">${icon("gallery")} ${_("Gallery")}<input class="visually-hidden" type="file" accept="image/*" multiple @change=${choose(false)}></label>${more}
    </div></div>`;
}

const withoutPosition = () => _("without position");

const thumb = (form, photo) => html`<figure class="thumb"><img src=${addressOf(photo.blob)} alt=${_("Photo")}>
  <figcaption>${photo.source === "file" ? html`<span class="from-file">${word("file", "photo_source")}</span>` : photo.latitude === undefined ? withoutPosition() : `± ${photo.accuracy_m} m`} · ${bytes(photo.byte_size)}</figcaption>
  <button type="button" class="remove" aria-label=${_("Remove this photo")} @click=${() => form.removePhoto(photo)}>${icon("close")}</button></figure>`;

// Keep what was chosen, one by one; returns what went wrong as a text.
export async function keepFiles(db, visit, key, files, camera) {
  let trouble = "";
  for (const file of files) {
    let photo;
    try {
      photo = await fromFile(file, { visit: visit.draft.id, item: key, longEdge: visit.settings.photo_long_edge_px, camera });
    } catch {
      trouble = _("This file is no picture that the phone can read.");
      continue;
    }
    try {
      await db.photos.add(photo);
      visit.photos.push(photo);
    } catch (error) {
      trouble = isFull(error) ? _("The phone's storage is full: this photo was not kept. Free some room, then take it again.") : _("This could not be kept on the phone: %(reason)s", { reason: String(error.message || error) });
    }
  }
  return trouble;
}

// The camera, with the earlier photo over what it sees.
async function openCamera(form, key, over) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 2560 } }, audio: false });
  } catch {
    form.say(_("The camera cannot be used here: take the photo with the button below."));
    return;
  }
  const dialog = document.createElement("dialog");
  dialog.className = "camera";
  const part = (name, properties) => Object.assign(document.createElement(name), properties);
  const video = part("video", { srcObject: stream, playsInline: true, muted: true, autoplay: true });
  const old = part("img", { src: addressOf(over), alt: _("Earlier photo") });
  const slider = part("input", { type: "range", min: "0", max: "100", value: "40", ariaLabel: _("How much of the earlier photo shows") });
  const shutter = part("button", { type: "button", className: "shutter", ariaLabel: _("Take the photo") });
  const close = part("button", { type: "button", className: "btn btn-light", textContent: _("Close") });
  const show = () => { old.style.opacity = String(slider.value / 100); };
  slider.addEventListener("input", show);
  show();
  const end = () => { for (const track of stream.getTracks()) track.stop(); dialog.remove(); };
  dialog.addEventListener("close", end);
  close.addEventListener("click", () => dialog.close());
  shutter.addEventListener("click", async () => {
    shutter.disabled = true;
    const { visit } = form;
    const photo = await fromVideo(video, { visit: visit.draft.id, item: key, longEdge: visit.settings.photo_long_edge_px });
    await form.keepPhoto(photo);
    dialog.close();
  });
  const view = part("div", { className: "view" });
  view.append(video, old);
  const row = part("div", { className: "row-of" });
  row.append(close, shutter, slider);
  dialog.append(view, row);
  document.body.append(dialog);
  dialog.showModal();
}
