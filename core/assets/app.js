// What every page can do: ask before loss, open and close menus, keep forms from being sent twice.
import { _, ready } from "core/texts";

// On a narrow screen filters stay folded, so that what they found is seen first.
if (window.matchMedia("(max-width: 640px)").matches) {
  for (const panel of document.querySelectorAll("details.filter-panel")) panel.open = false;
}

await ready;

// A form asks, or one of its buttons alone.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    const button = event.submitter;
    if (button && button.dataset.busy !== undefined) {
      // The button's own name and value must still be sent.
      window.setTimeout(() => { button.disabled = true; button.textContent = _("Please wait…"); }, 0);
    }
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A form that was changed and not sent asks before the page is left.
for (const form of document.querySelectorAll("form[data-guard]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

// Rows of fields: one more like the last one, empty.
for (const rows of document.querySelectorAll("[data-rows]")) {
  const button = rows.querySelector("[data-add-row]");
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = rows.querySelectorAll("[data-row]");
    const row = all[all.length - 1].cloneNode(true);
    for (const field of row.querySelectorAll("input")) {
      field.value = "";
      field.removeAttribute("id");
      field.classList.remove("is-invalid");
    }
    for (const text of row.querySelectorAll(".wrong")) text.remove();
    button.before(row);
    row.querySelector("input").focus();
  });
}

for (const select of document.querySelectorAll("[data-submit-on-change]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// What is wrong with a form is read first.
document.querySelector(".wrong-summary")?.focus();

// A menu closes at a click elsewhere and by Escape.
const folds = document.querySelectorAll("details.fold");
document.addEventListener("click", (event) => {
  for (const fold of folds) if (!fold.contains(event.target)) fold.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const fold of folds) {
    if (!fold.open) continue;
    fold.open = false;
    fold.querySelector("summary").focus();
  }
});

const lightbox = document.querySelector("#lightbox");
if (lightbox) {
  for (const link of document.querySelectorAll("a[data-lightbox]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const picture = lightbox.querySelector("img");
      picture.src = link.href;
      picture.alt = link.querySelector("img").alt;
      lightbox.showModal();
    });
  }
  lightbox.addEventListener("click", () => lightbox.close());
}

for (const element of document.querySelectorAll("[data-copy]")) {
  element.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element.dataset.copy);
    element.textContent = _("Copied");
  });
}

for (const element of document.querySelectorAll("[data-print]")) {
  element.addEventListener("click", () => window.print());
}
