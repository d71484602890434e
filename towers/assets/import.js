// A list on its way: dropped or chosen, sent with its progress shown, then waited for.
import { _, number, ready } from "core/texts";
import { watch } from "core/working";

await ready;

const form = document.querySelector("#upload");
if (form) {
  const field = form.querySelector("#f-file");
  const drop = form.querySelector("#drop");
  const chosen = form.querySelector("#chosen");
  const line = form.querySelector("#progress");
  const button = form.querySelector("button");
  const problem = document.querySelector("#upload-error");
  const megabytes = (bytes) => number(Math.max(0.1, Math.round(bytes / 100_000) / 10));

  const say = (text) => {
    problem.hidden = false;
    problem.querySelector("span").textContent = text;
    problem.focus();
  };
  const show = () => {
    const file = field.files[0];
    if (!file) return;
    problem.hidden = true;
    chosen.textContent = _("%(name)s, %(size)s MB", { name: file.name, size: megabytes(file.size) });
    if (file.size > Number(form.dataset.max)) {
      say(_("The file may have at most %(limit)s MB", { limit: number(form.dataset.max / 1_000_000) }));
      field.value = "";
    }
  };
  field.addEventListener("change", show);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    field.files = event.dataTransfer.files;
    show();
  });

  // Before the page's own handler, which disables the button for good.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!field.files[0] || button.disabled) return;
    button.disabled = true;
    line.hidden = false;
    const bar = line.querySelector("progress");
    const text = line.querySelector(".sub");
    const sending = new XMLHttpRequest();
    sending.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      text.textContent = loaded < total
        ? _("%(sent)s of %(total)s MB", { sent: megabytes(loaded), total: megabytes(total) })
        : _("Looking into the file…");
    });
    const ended = (why) => {
      button.disabled = false;
      line.hidden = true;
      say(why);
    };
    sending.addEventListener("load", () => {
      if (sending.status === 200) { window.location.assign(sending.response.address); return; }
      ended((sending.response && sending.response.detail) || _("The upload failed: try again"));
    });
    sending.addEventListener("error", () => ended(_("The upload failed: try again")));
    sending.open("POST", form.action);
    sending.setRequestHeader("Accept", "application/json");
    sending.responseType = "json";
    sending.send(new FormData(form));
  }, { capture: true });
}

watch((working, state) => {
  const rows = _("%(rows)s rows", { rows: number(state.rows || 0) });
  working.querySelector(".progress-line .sub").textContent =
    state.rows ? `${state.text} · ${rows}` : state.text;
  working.querySelector("#attempt").hidden = state.attempt < 2;
});
