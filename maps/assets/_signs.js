// The signs of conditions and of their clusters.
import { COLOURS, CONDITIONS } from "core/conditions";
import { dist } from "core/dist";
import { _, number } from "core/texts";
import { drawing } from "./_elements.js";

// A document that was taken along has the signs in itself.
const source = (name) => `${document.getElementById(name) ? "" : `${dist}/icons.svg`}#${name}`;

export function sign(condition, late = false) {
  const box = drawing("svg", { viewBox: "0 0 16 16", class: late ? "sign late" : "sign", "aria-hidden": "true" });
  box.append(drawing("use", { href: source(`condition-${condition}`) }));
  return box;
}

export const conditionTexts = () => ({
  dangerous: _("Dangerous"),
  assessment_needed: _("Load-safety assessment needed"),
  needs_follow_up: _("Needs follow-up"),
  ok: _("Satisfactory"),
  unchecked: _("Unchecked"),
});
export const reasonTexts = () => ({
  never: _("never inspected"),
  incomplete: _("the last inspection is incomplete"),
  out_of_date: _("the last inspection is out of date"),
});

// Parts of a ring differ by their weave too, for those who cannot tell the colours apart: lengths of
// a dash and of the gap after it, in pixels; what is satisfactory is one plain stroke.
const WEAVES = { overdue: [9, 1], assigned: [3, 1.5], unassigned: [1, 1.5], dangerous: [9, 1], assessment_needed: [6, 2], needs_follow_up: [3, 1.5], unchecked: [1, 1.5] };

// The dashes of a stroke that covers this length of a ring and leaves out the rest.
function woven(name, length, round) {
  const weave = WEAVES[name];
  if (!weave || length < weave[0]) return `${length} ${round}`;
  const dashes = Math.max(1, Math.round(length / (weave[0] + weave[1])));
  const stretch = length / (dashes * (weave[0] + weave[1]));
  const pairs = Array(dashes).fill(weave.map((one) => one * stretch));
  return [...pairs.flat(), 0, round].join(" ");
}

export const radiusOf = (total) => (total > 1 ? Math.min(32, 15 + 5.12 * Math.log10(total)) : 12);

export function donut(conditions, total, names = CONDITIONS, colours = COLOURS) {
  const radius = radiusOf(total);
  const size = 2 * radius + 4;
  const box = drawing("svg", { width: size, height: size, viewBox: `0 0 ${size} ${size}`, class: "cluster" });
  const middle = size / 2;
  box.append(drawing("circle", { cx: middle, cy: middle, r: radius, fill: "#fff" }));
  const round = 2 * Math.PI * (radius - 3);
  let done = 0;
  for (const name of names) {
    const share = (conditions[name] || 0) / total;
    if (!share) continue;
    box.append(drawing("circle", {
      cx: middle, cy: middle, r: radius - 3, fill: "none", stroke: colours[name], "stroke-width": 6,
      "stroke-dasharray": woven(name, share * round, round), "stroke-dashoffset": -done * round,
      transform: `rotate(-90 ${middle} ${middle})`,
    }));
    done += share;
  }
  const text = drawing("text", { x: middle, y: middle, "text-anchor": "middle", "dominant-baseline": "central" });
  text.textContent = total < 10000 ? number(total) : `${Math.round(total / 1000)}k`;
  box.append(text);
  return { box, size };
}
