// The conditions of towers in their order of precedence: colour and shape, the same as in icons.svg.
export const CONDITIONS = ["dangerous", "assessment_needed", "needs_follow_up", "ok", "unchecked"];
export const COLOURS = {
  dangerous: "#b3261e",
  assessment_needed: "#7a3e9d",
  needs_follow_up: "#c26a00",
  ok: "#0b7a5b",
  unchecked: "#5b6472",
};
