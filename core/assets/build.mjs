// Bundles what the browser gets into core/static/dist: our own files and npm packages, nothing from
// another host. A file `<feature>/assets/<name>.js` becomes `dist/<feature>-<name>.js`, a file whose
// name begins with `_` is only imported by others.
import { build } from "esbuild";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { mesh } from "topojson-client";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const out = path.join(root, "core/static/dist");
const modules = path.join(root, "node_modules");
const features = ["core", "accounts", "areas", "towers", "inspections", "maps"];

// Signs of the interface, by the names our templates use.
const signs = {
  dashboard: "speedometer2", map: "map", tower: "broadcast-pin", inspection: "clipboard-check",
  violation: "exclamation-octagon", "follow-up": "list-check", notice: "envelope-paper", users: "people", organisation: "building",
  area: "pin-map", search: "search", plus: "plus-lg", edit: "pencil", download: "download", upload: "upload",
  filter: "funnel", close: "x-lg", menu: "list", person: "person-circle", back: "arrow-left",
  next: "chevron-right", previous: "chevron-left", camera: "camera", calendar: "calendar-event",
  clock: "clock-history", campaign: "calendar2-range", assignment: "person-check", print: "printer", info: "info-circle", warning: "exclamation-triangle",
  success: "check-circle", danger: "x-octagon", position: "crosshair", key: "key", "sign-out": "box-arrow-right",
  trash: "trash", merge: "intersect", file: "file-earmark-text", proposal: "chat-square-text", settings: "gear", language: "translate", empty: "inbox",
  phone: "telephone", mail: "envelope", qr: "qr-code", checklist: "ui-checks", statistics: "bar-chart",
  link: "link-45deg", sync: "arrow-repeat", offline: "wifi-off", safe: "shield-check", gallery: "images",
};

function sprite() {
  const symbols = Object.entries(signs).map(([name, file]) => {
    const svg = readFileSync(path.join(modules, "bootstrap-icons/icons", `${file}.svg`), "utf8");
    const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 16 16" fill="currentColor">${inner}</symbol>`;
  });
  const conditions = readFileSync(path.join(root, "core/assets/conditions.svg"), "utf8")
    .replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}${conditions}</svg>`;
}

mkdirSync(out, { recursive: true });
for (const name of readdirSync(out)) {
  // The texts of scripts are written by core/assets/texts.py, from the catalogues.
  if (!/^texts\.\w+\.json$/.test(name)) rmSync(path.join(out, name), { recursive: true, force: true });
}
mkdirSync(path.join(out, "vendor"), { recursive: true });
writeFileSync(path.join(out, "icons.svg"), sprite());
cpSync(path.join(root, "core/assets/logo.svg"), path.join(out, "logo.svg"));

cpSync(path.join(modules, "world-atlas/land-50m.json"), path.join(out, "land.json"));
// Of borders only those on land of Vietnam and its neighbours Laos and Cambodia.
const world = JSON.parse(readFileSync(path.join(modules, "world-atlas/countries-50m.json"), "utf8"));
const near = new Set(["704", "418", "116"]);
writeFileSync(path.join(out, "borders.json"), JSON.stringify(mesh(world, world.objects.countries, (one, other) => one !== other && (near.has(one.id) || near.has(other.id)))));

for (const [name, files] of Object.entries({
  leaflet: ["dist/leaflet.js", "dist/leaflet.css", "dist/images"],
  "swagger-ui-dist": ["swagger-ui-bundle.js", "swagger-ui.css"],
})) {
  for (const file of files) {
    cpSync(path.join(modules, name, file), path.join(out, "vendor", name, path.basename(file)), { recursive: true });
  }
}

const entries = [];
for (const name of features) {
  const folder = path.join(root, name, "assets");
  if (!existsSync(folder)) continue;
  for (const file of readdirSync(folder)) {
    if (!file.startsWith("_") && /\.(js|css)$/.test(file)) entries.push([name, path.join(folder, file)]);
  }
}
const DOCUMENTS = ["map.js", "taken.js"];
const common = {
  bundle: true, minify: true, logLevel: "warning", absWorkingDir: root, target: ["es2022"],
  alias: { "core/texts": path.join(root, "core/assets/_texts.js"), "core/geolocation": path.join(root, "core/assets/_geolocation.js"), "core/conditions": path.join(root, "core/assets/_conditions.js"), "core/dist": path.join(root, "core/assets/_dist.js"), "core/held": path.join(root, "core/assets/_held.js"), "core/working": path.join(root, "core/assets/_working.js") },
  loader: { ".woff2": "file", ".woff": "empty", ".svg": "dataurl", ".png": "file" },
  assetNames: "fonts/[name]-[hash]",
};
await Promise.all(entries.map(([name, file]) => build({
  ...common,
  entryPoints: [file],
  outfile: path.join(out, `${name}-${path.basename(file)}`),
  // Documents of maps have plain scripts that call `thapCanh`; pages load modules.
  format: name === "maps" && DOCUMENTS.includes(path.basename(file)) ? "iife" : "esm",
  globalName: name === "maps" && DOCUMENTS.includes(path.basename(file)) ? "thapCanh" : undefined,
})));

// The field app works without a network: its worker keeps these. The service puts the address of
// this version in place of `/__DIST__` and a mark of the page in place of `__SHELL__`.
const kept = [
  "inspections-field.js", "inspections-field.css", "core-app.css", "icons.svg", "logo.svg", "texts.vi.json",
  "maps-field.js", "maps-field.css", "land.json", "vendor/leaflet/leaflet.js", "vendor/leaflet/leaflet.css",
  ...readdirSync(path.join(out, "fonts")).map((file) => `fonts/${file}`),
];
await build({
  ...common,
  entryPoints: [path.join(root, "inspections/assets/_field_worker.js")],
  outfile: path.join(out, "inspections-field-worker.js"),
  format: "iife",
  define: {
    "self.__FILES__": JSON.stringify([{ url: "/field", revision: "__SHELL__" }, ...kept.map((file) => ({ url: `/__DIST__/${file}`, revision: null }))]),
    "process.env.NODE_ENV": '"production"',
  },
});
