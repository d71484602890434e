// Layers whose script is loaded when they are first shown: until then they ask for nothing.
import { _, ready } from "core/texts";
import { offer } from "./_base.js";
import { load, script, statusControl } from "./_elements.js";
import { TowerTiles } from "./_towers.js";

const { L } = window;

// `begin` of the script fills the layer, and is given what `given` makes.
function onDemand(map, file, name, given = () => ({})) {
  const layer = L.layerGroup();
  let status = null;
  let begun = false;
  const begin = async () => {
    if (begun) return;
    begun = true;
    await ready;
    status ??= statusControl(map);
    status("");
    try {
      const loaded = await script(file);
      await loaded.begin(map, layer, { load, ...given() });
    } catch {
      begun = false;
      status(_("This could not be loaded. Try again."), begin);
    }
  };
  layer.on("add", begin);
  layer.on("remove", () => status && status(""));
  return offer(layer, name, file);
}

export const addCommuneFigures = (map) => onDemand(map, "figures", () => _("Communes by figure"));

export const addHeat = (map) => onDemand(map, "heat", () => _("Density of towers to be mended"), () => ({
  tiles: new TowerTiles(new URLSearchParams(window.location.search).toString()),
}));
