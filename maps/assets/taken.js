// What the document calls that somebody takes along: it holds all that these functions ask for.
export { addCommunes, addLayerSwitch, addScale } from "./_base.js";
export { addBorders, addLand } from "./_land.js";
export { addIslands } from "./_names.js";
export { addTakenTowers } from "./_taken.js";
