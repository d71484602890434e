// Visits that are being filled in. Each answer is a row of its own, written the moment it is given,
// right or wrong; nothing here asks whether it is valid.
import { applicableItems, evaluate, isAsked, structureOf } from "./evaluate.js";
import { distance } from "./position.js";
import { fact } from "./store.js";

// Texts are translated where they are shown.
const N_ = (text) => text;
export const NEEDS_PHOTO = N_("This answer needs at least one photo");
// Nobody climbs without saying so.
const USUAL = ["ground", "documents", "instrument"];

// The local day of the province, whatever the zone of the phone.
export const dayOf = (moment) => new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Ho_Chi_Minh" }).format(moment);

// A new visit at a tower, or the next version of one that came back.
export async function begin(db, tower, { kind = "periodic", task = null, type = "" } = {}) {
  const work = await fact(db, "work");
  const now = new Date();
  const back = task?.kind === "returned" ? task : null;
  const before = back?.original || {};
  const draft = {
    id: back ? back.inspection_id : crypto.randomUUID(),
    tower: tower.code,
    task: task?.id || null,
    kind: back ? back.inspection_kind : kind,
    based_on: back ? back.version : null,
    reason: back ? back.reason : "",
    // What was sent before counts as shown; it stands with the service.
    originals: back?.original_photos || before.photos || [],
    structure_type: tower.structure_type === "unknown" ? (before.structure_type || type) : tower.structure_type,
    checklist_version: before.checklist_version || Math.max(...work.checklist_versions),
    methods: before.methods || USUAL,
    inspected_on: before.inspected_on || dayOf(now),
    started_at: before.started_at || now.toISOString(),
    ended_at: before.ended_at || null,
    position: before.position || null,
    weather: before.weather || null,
    representative: before.representative || "",
    team: (before.team || []).join("\n"),
    verdict: before.verdict || null,
    note: before.note || "",
    far_reason: before.far_reason || "",
    assessment_requested: before.assessment_requested || false,
    assessment_reason: before.assessment_reason || "",
    begun: now.getTime(),
    queued: null,
  };
  await db.transaction("rw", db.drafts, db.answers, async () => {
    await db.drafts.add(draft);
    for (const [item, given] of Object.entries(back?.original_answers || {})) await db.answers.put({ draft: draft.id, item, given });
  });
  return draft;
}

export const unfinished = async (db) => (await db.drafts.toArray()).filter((one) => !one.queued).sort((a, b) => b.begun - a.begun);

// Keep one answer; nothing given takes it away. Resolves when it is on the disk.
export function keepAnswer(db, draft, item, given) {
  return given ? db.answers.put({ draft, item, given }) : db.answers.delete([draft, item]);
}

export const keepVisit = (db, draft, changes) => db.drafts.update(draft, changes);

// Everything about one visit, as the form and the queue need it.
export async function whole(db, id) {
  const draft = await db.drafts.get(id);
  if (!draft) return null;
  const [tower, checklist, rows, photos, work] = await Promise.all([
    db.towers.get(draft.tower),
    db.checklists.get(draft.checklist_version),
    db.answers.where({ draft: id }).toArray(),
    db.photos.where({ visit: id }).toArray(),
    fact(db, "work"),
  ]);
  const answers = Object.fromEntries(rows.map(({ item, given }) => [item, given]));
  return { draft, tower, checklist, answers, photos, settings: work.settings };
}

// Throw a visit away that was never sent, with its photos.
export async function discard(db, id) {
  await db.transaction("rw", db.drafts, db.answers, db.photos, async () => {
    await db.drafts.delete(id);
    await db.answers.where({ draft: id }).delete();
    await db.photos.where({ visit: id }).delete();
  });
}

const lookedAt = ({ draft, tower }) => (draft.kind === "reinspection" ? tower.open || [] : []);

// What a visit comes to so far: its items, what is judged, and what keeps it from being sent.
export function judged(visit) {
  const { draft, tower, checklist, answers, photos, settings } = visit;
  const structure = structureOf(tower, draft.structure_type);
  const lines = new Map(lookedAt(visit).map((one) => [one.item, one]));
  const beside = checklist.beside.filter((item) => lines.has(item.key));
  const items = applicableItems(checklist.content, structure, beside);
  const reached = new Set(items.filter((item) => draft.methods.includes(item.how)).map((item) => item.key));
  // What the visit cannot have seen is not sent, as in the browser's form; it stays on the phone.
  const sent = Object.fromEntries(Object.entries(answers).filter(([key]) => reached.has(key)));
  const found = evaluate(checklist.content, structure, sent, draft.methods, beside);
  const shown = new Set([...photos, ...draft.originals].map((one) => one.item));
  const problems = [...found.problems];
  const needsPhoto = new Set(found.photosRequired);
  for (const [key] of lines) {
    const item = items.find((one) => one.key === key);
    if (!item) continue;
    const judgement = found.judgements[key];
    if (!judgement) problems.push({ item: key, message: N_("Say whether this violation is fixed, not fixed or cannot be verified"), facts: {} });
    else if (judgement.outcome === "ok" && judgement.severity === null) needsPhoto.add(key);
  }
  const withoutPhoto = [...needsPhoto].filter((key) => !shown.has(key));
  for (const key of withoutPhoto) problems.push({ item: key, message: NEEDS_PHOTO, facts: {} });
  if (!draft.methods.length) problems.push({ item: "", message: N_("Say how the visit was made"), facts: {} });
  if (!Object.keys(sent).length) problems.push({ item: "", message: N_("No item was answered"), facts: {} });
  const metres = draft.position && tower.lat !== null ? distance(draft.position, { latitude: tower.lat, longitude: tower.lon }) : null;
  const far = metres !== null && metres > settings.at_tower_m;
  if (far && !(draft.far_reason || "").trim()) problems.push({ item: "", message: N_("Say why you are so far from the tower"), facts: {} });
  const asked = items.filter((item) => isAsked(item, answers) && reached.has(item.key));
  const must = draft.kind === "reinspection" ? asked.filter((item) => lines.has(item.key)) : asked;
  return { ...found, structure, items, lines, reached, sent, problems, needsPhoto, withoutPhoto, metres, far, asked: must, answered: must.filter((item) => sent[item.key]) };
}

// What is sent for a visit, as `POST /api/v1/inspections` takes it, with its photos announced.
export function bodyOf({ draft, tower, photos }, { sent, lines }, now = new Date()) {
  const text = (name) => (draft[name] || "").trim();
  return {
    id: draft.id,
    tower: draft.tower,
    kind: draft.kind,
    inspected_on: draft.inspected_on,
    checklist_version: draft.checklist_version,
    structure_type: tower.structure_type === "unknown" ? draft.structure_type : null,
    methods: draft.methods,
    position: draft.position && { latitude: draft.position.latitude, longitude: draft.position.longitude, accuracy_m: draft.position.accuracy_m },
    started_at: draft.started_at,
    ended_at: draft.ended_at || now.toISOString(),
    weather: draft.weather || null,
    representative: text("representative"),
    team: text("team").split("\n").map((one) => one.trim()).filter(Boolean),
    verdict: draft.verdict || null,
    note: text("note"),
    assessment_requested: Boolean(draft.assessment_requested),
    assessment_reason: text("assessment_reason"),
    answers: sent,
    submit: true,
    far_reason: text("far_reason"),
    based_on: draft.based_on,
    // What was open when the phone last knew: the service sees whether it still is.
    violations: [...lines.values()].map((one) => one.id),
    photos: photos.map(({ id, item, sha256, byte_size, source, taken_at, latitude, longitude, accuracy_m }) => ({
      id, item, sha256, byte_size, source, taken_at, ...(latitude === undefined ? {} : { latitude, longitude, accuracy_m }),
    })),
  };
}

// Put a finished visit into the queue. Its answers stay where they are until the service has them.
export async function finish(db, visit, found) {
  const operation = { id: crypto.randomUUID(), kind: "inspection", made_at: new Date().toISOString(), body: bodyOf(visit, found) };
  await enqueue(db, operation, { visit: visit.draft.id, tower: visit.draft.tower, what: visit.draft.kind, version: visit.draft.based_on ? visit.draft.based_on + 1 : 1 });
  return operation;
}

export async function enqueue(db, operation, about) {
  await db.transaction("rw", db.queue, db.drafts, async () => {
    // Once is enough, whoever taps twice or has the visit open in two windows.
    if (about.visit && (await db.drafts.get(about.visit))?.queued) return;
    await db.queue.add({ ...operation, ...about, state: "waiting", why: "", tries: 0, next_at: 0 });
    if (about.visit) await db.drafts.update(about.visit, { queued: operation.id });
  });
}

// Take something refused out of the queue again, to put it right.
export async function takeBack(db, operation) {
  await db.transaction("rw", db.queue, db.drafts, async () => {
    const row = await db.queue.get(operation);
    if (row?.state !== "refused" || !row.visit) return;
    await db.drafts.update(row.visit, { queued: null, refused: { fields: row.fields || {}, title: row.title || "" } });
    await db.queue.delete(operation);
  });
}
