// Makes this phone a device of whoever is signed in, and hands its token to the app.
import { _, ready } from "core/texts";
import { deviceOf, signIn } from "./field/session.js";

await ready;
const form = document.querySelector("#device");
const wrong = form.querySelector("[role=alert]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  wrong.textContent = "";
  try {
    const answer = await fetch("/api/v1/devices", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": form.elements.csrf_token.value },
      body: JSON.stringify({ id: await deviceOf(form.dataset.user), name: form.elements.name.value.trim(), app_version: form.dataset.version }),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail || said.title);
    await signIn(said);
    window.location.assign("/field");
  } catch (error) {
    wrong.textContent = error instanceof TypeError ? _("There is no network: signing in needs one.") : error.message;
    button.disabled = false;
  }
});
