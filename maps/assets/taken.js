// What the document calls that somebody takes along: it holds all that these functions ask for.
export { addCommunes, addIslands, addLand, addLayerSwitch, addScale } from "./_base.js";
export { addTakenTowers } from "./_taken.js";
