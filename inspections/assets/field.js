// The field app: works without a network from the second visit on.
import "./field/language.js";
import { ready } from "core/texts";
import { start } from "./field/app.js";

await ready;
await start(document.querySelector("#app"));
