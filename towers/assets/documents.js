// Sending a large file takes a while: show how far it is, and what is wrong without leaving the page.
import { _, ready } from "core/texts";

await ready;

for (const form of document.querySelectorAll("form[data-upload]")) {
  const [button, bar, wrong] = ["button", "progress", "[data-upload-wrong]"].map((one) => form.querySelector(one));
  const file = form.querySelector("input[type=file]");

  const fail = (text) => {
    wrong.textContent = text;
    bar.hidden = true;
    button.disabled = false;
    delete form.dataset.sent;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.disabled) return;
    wrong.textContent = "";
    if (file.files[0] && file.files[0].size > Number(file.dataset.megabytes) * 1048576) {
      fail(_("This file is larger than %(limit)s MB.", { limit: file.dataset.megabytes }));
      return;
    }
    button.disabled = true;
    bar.hidden = false;
    const data = new FormData(form);
    const token = data.get("csrf_token");
    data.delete("csrf_token");
    const sending = new XMLHttpRequest();
    sending.open("POST", form.dataset.upload);
    sending.setRequestHeader("X-CSRFToken", token);
    sending.setRequestHeader("Accept", "application/json");
    sending.upload.addEventListener("progress", ({ loaded, total }) => { bar.value = (100 * loaded) / total; });
    sending.addEventListener("error", () => fail(_("The file could not be sent. Try again.")));
    sending.addEventListener("load", () => {
      if (sending.status < 300) {
        window.location.hash = "documents";
        window.location.reload();
        return;
      }
      let problem = {};
      try { problem = JSON.parse(sending.responseText); } catch { /* a proxy answered, not the service */ }
      const texts = Object.values(problem.fields || {}).flat();
      fail(texts.join(" ") || problem.detail || _("The file could not be sent. Try again."));
    });
    sending.send(data);
  });
}
