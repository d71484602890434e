// Makes this phone a device of whoever is signed in, and hands its token to the app.
import { _, ready } from "core/texts";
import { deviceOf, hasLeft, leave, signIn } from "./field/session.js";

await ready;
const form = document.querySelector("#device");
const wrong = form.querySelector("[role=alert]");

// Who signed out of the app without a network is signed out here before anybody goes on.
if (await hasLeft(form.dataset.user)) {
  await leave(document.querySelector("#leave"));
  window.location.replace("/field");
} else {
  form.querySelector("button").disabled = false;
}

const asked = (id) => fetch("/api/v1/devices", {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": form.elements.csrf_token.value },
  body: JSON.stringify({ id, name: form.elements.name.value.trim(), app_version: form.dataset.version }),
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  wrong.textContent = "";
  try {
    let answer = await asked(await deviceOf(form.dataset.user));
    let said = await answer.json();
    // A phone that was reported lost and found again is another device from now on.
    if (said.code === "revoked_device") {
      answer = await asked(crypto.randomUUID());
      said = await answer.json();
    }
    if (!answer.ok) throw new Error(said.detail || said.title);
    await signIn(said);
    window.location.assign("/field");
  } catch (error) {
    wrong.textContent = error instanceof TypeError ? _("There is no network: signing in needs one.") : error.message;
    button.disabled = false;
  }
});
