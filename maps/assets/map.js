// What the map documents call: each function adds one layer or control.
export { addAreaDrawing } from "./_area_drawing.js";
export { addCommunes, addLayerSwitch, addScale } from "./_base.js";
export { addCampaignTowers } from "./_campaign.js";
export { addFallZones } from "./_fall_zones.js";
export { addBorders, addLand } from "./_land.js";
export { addBaseLayers } from "./_layers.js";
export { addIslands } from "./_names.js";
export { addImportedRows, addOneArea, addOneTower, addPicker, addPlaces } from "./_places.js";
export { addPoint } from "./_point.js";
export { addThemeSwitch } from "./_theme.js";
export { addTowers } from "./_towers.js";
