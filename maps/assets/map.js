// What the map documents call: each function adds one layer or control.
export { addAreaDrawing } from "./_area_drawing.js";
export { addCommunes, addIslands, addLand, addLayerSwitch, addScale } from "./_base.js";
export { addCampaignTowers } from "./_campaign.js";
export { addImportedRows, addOneArea, addOneTower, addPicker, addPlaces } from "./_places.js";
export { addTimeSlider } from "./_time.js";
export { addTowers } from "./_towers.js";
