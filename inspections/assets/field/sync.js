// Sends what waits. It starts by itself, goes on where it was cut off, waits longer after each
// failure, and never lets one bad thing hold up another. Sending again is harmless for ever.
import { askJson, Unanswered, VERSION } from "./service.js";
import { accounts, canSend, endTokens } from "./session.js";
import { clearOld, doubt, letGo } from "./receipts.js";
import { keepFact, storeOf } from "./store.js";

const MOST_OPERATIONS = 100;
const MOST_BYTES = 1_000_000;
const PIECE_BYTES = 256 * 1024;
const FIRST_WAIT_MS = 4_000;
const LONGEST_WAIT_MS = 600_000;
// What the service took, whatever it makes of it: the phone's part is then to bring the photos.
const TAKEN = new Set(["accepted", "known", "review", "quarantined"]);

// The service names the right place, or wants all of it again.
const MENDABLE = new Set(["wrong_offset", "hash_mismatch"]);
const MOST_WRONG = 3;

const pauses = new Map();
const listeners = new Set();

// `tell()` is called whenever the state of something may have changed.
export const onChange = (tell) => listeners.add(tell);
const changed = () => { for (const tell of listeners) tell(); };

const later = (tries) => Date.now() + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 12)) * (0.8 + 0.4 * Math.random());

// Whether a wait has ended. One that would take longer than any was begun by a clock that ran ahead
// and has been put right since.
const isOver = (until) => until <= Date.now() || until > Date.now() + LONGEST_WAIT_MS * 1.2;

// Send for everybody who has not signed out, each by their own token. `atOnce`: somebody asks.
export async function send({ atOnce = false } = {}) {
  if (!navigator.onLine && !atOnce) return;
  await endTokens();
  for (const account of await accounts()) {
    if (!canSend(account)) continue;
    const pause = pauses.get(account.id);
    if (!atOnce && pause && !isOver(pause.until)) continue;
    await navigator.locks.request(`thap-canh-send-${account.id}`, { ifAvailable: !atOnce }, async (lock) => {
      if (lock) await sendFor(account, atOnce);
    });
  }
}

async function sendFor(account, atOnce) {
  const db = storeOf(account.id);
  if (!await db.queue.count()) return;
  try {
    await sendOperations(account, db, atOnce);
    const failed = await sendPhotos(account, db, atOnce);
    await confirm(account, db);
    if (failed) throw failed;
    pauses.delete(account.id);
    await sayWhy(db, "");
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    const tries = (pauses.get(account.id)?.tries ?? -1) + 1;
    pauses.set(account.id, { tries, until: later(tries) });
    await sayWhy(db, error.kind === "refused" ? "failing" : error.kind);
  }
  changed();
}

// Why things still wait, so that everybody can read it.
async function sayWhy(db, why) {
  await db.queue.where("state").anyOf("waiting", "received").and((row) => row.why !== why).modify({ why });
}

async function sendOperations(account, db, atOnce) {
  // Whoever asks for it may also try again what was refused: the reason may be gone.
  const waiting = await db.queue.where("state").anyOf(atOnce ? ["waiting", "refused"] : ["waiting"]).sortBy("made_at");
  let left = waiting.filter((row) => atOnce || isOver(row.next_at));
  while (left.length) {
    const batch = [];
    let bytes = 0;
    while (left.length && batch.length < MOST_OPERATIONS) {
      const weight = JSON.stringify(left[0].body).length * 2;
      if (batch.length && bytes + weight > MOST_BYTES) break;
      bytes += weight;
      batch.push(left.shift());
    }
    left = [...(await sendBatch(account, db, batch)), ...left];
  }
}

// Send some together; returns what must be sent again in smaller parts.
async function sendBatch(account, db, batch) {
  const operations = batch.map(({ id, kind, made_at, body }) => ({ id, kind, made_at, body }));
  let answer;
  try {
    answer = await askJson(account, "/api/v1/sync", { method: "POST", json: { device_time: new Date().toISOString(), app_version: String(VERSION), operations } });
  } catch (error) {
    if (!(error instanceof Unanswered) || error.kind !== "refused") throw error;
    // The request as a whole was not taken: what is wrong with one of them is found by halving.
    if (batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      const again = await sendBatch(account, db, batch.slice(0, half));
      return [...again, ...(await sendBatch(account, db, batch.slice(half)))];
    }
    await refuse(db, batch[0], { code: error.answer.code, title: error.message, fields: error.answer.fields });
    return [];
  }
  await keepFact(db, "clock", { offset_s: answer.clock_offset_s, skewed: answer.skewed, at: Date.now() });
  const rows = new Map(batch.map((row) => [row.id, row]));
  for (const result of answer.results) {
    const row = rows.get(result.id);
    if (row) await settle(db, row, result);
  }
  changed();
  return [];
}

async function settle(db, row, result) {
  if (TAKEN.has(result.verdict)) {
    await db.queue.update(row.id, { state: "received", verdict: result.verdict, title: result.title || "", receipt: result.receipt || null });
  } else if (result.verdict === "refused") {
    await refuse(db, row, result);
  } else {
    await db.queue.update(row.id, { tries: row.tries + 1, next_at: later(row.tries), why: "failing" });
  }
}

async function refuse(db, row, { code, title, fields }) {
  await db.queue.update(row.id, { state: "refused", verdict: "refused", code: code || "", title: title || "", fields: fields || {}, why: "" });
}

// One photo that the service cannot take now holds up no other one; returns why that was.
async function sendPhotos(account, db, atOnce) {
  let failed = null;
  const received = await db.queue.where({ state: "received" }).sortBy("made_at");
  for (const row of received) {
    if (!row.visit) continue;
    for (const photo of await photosOf(db, row)) {
      if (photo.state !== "waiting" && !(atOnce && photo.state === "refused")) continue;
      try {
        await sendPhoto(account, db, row, photo);
      } catch (error) {
        if (!(error instanceof Unanswered) || error.kind !== "failing") throw error;
        failed = error;
      }
    }
  }
  return failed;
}

export async function photosOf(db, row) {
  const named = new Set((row.body.photos || []).map((one) => one.id));
  return (await db.photos.where({ visit: row.visit || "" }).toArray()).filter((one) => named.has(one.id));
}

// A piece of a photo; one that the phone itself can no longer read holds up no other one.
async function piece(blob, from) {
  try {
    return await blob.slice(from, from + PIECE_BYTES).arrayBuffer();
  } catch (error) {
    throw new Unanswered("refused", { detail: String(error.message || error) });
  }
}

// Begin, or go on where the service says that it stands.
async function sendPhoto(account, db, row, photo) {
  const { id, item, sha256, byte_size, media_type, source, taken_at, latitude, longitude, accuracy_m, blob } = photo;
  const place = latitude === undefined ? {} : { latitude, longitude, accuracy_m };
  let at;
  try {
    at = await askJson(account, "/api/v1/uploads", { method: "POST", json: { id, inspection: row.body.id, item, sha256, byte_size, media_type, source, taken_at, ...place } });
    for (let wrong = 0; at.state !== "safe";) {
      const before = at.offset;
      // At the end of a photo that is not safe yet an empty piece lets the service finish it.
      const body = await piece(blob, before);
      try {
        const headers = { "Upload-Offset": String(before), "Content-Type": "application/offset+octet-stream" };
        at = await askJson(account, `/api/v1/uploads/${id}`, { method: "PATCH", body, headers });
      } catch (error) {
        if (!(error instanceof Unanswered) || !MENDABLE.has(error.answer.code) || wrong >= MOST_WRONG) throw error;
        at = await askJson(account, `/api/v1/uploads/${id}`);
      }
      wrong += at.offset > before || at.state === "safe" ? 0 : 1;
      if (wrong > MOST_WRONG) throw new Unanswered("failing");
      await db.photos.update(id, { offset: at.offset });
      changed();
    }
  } catch (error) {
    if (!(error instanceof Unanswered) || error.kind !== "refused") throw error;
    await db.photos.update(id, { state: "refused", title: error.message });
    return;
  }
  if (at.state === "safe") await db.photos.update(id, { state: "safe", offset: byte_size });
}

// Ask for receipts of what has gone out whole, and let go of what they prove.
async function confirm(account, db) {
  const received = await db.queue.where({ state: "received" }).toArray();
  const whole = [];
  for (const row of received) {
    const photos = await photosOf(db, row);
    if (photos.every((one) => one.state === "safe")) whole.push({ row, photos });
  }
  for (let from = 0; from < whole.length; from += 50) {
    const some = whole.slice(from, from + 50);
    const unknown = some.filter(({ row }) => !row.receipt?.complete).map(({ row }) => row.id);
    const { items, server_time: now } = unknown.length ? await askJson(account, `/api/v1/field/receipts?ids=${unknown.join(",")}`) : { items: [] };
    const found = new Map(items.map((one) => [one.operation, one]));
    for (const { row, photos } of some) {
      const receipt = found.get(row.id) || row.receipt;
      const wrong = await doubt(row, photos, receipt);
      if (wrong) await db.queue.update(row.id, { receipt, doubt: wrong });
      else await letGo(db, row, photos, receipt, now || receipt.received_at);
      changed();
    }
  }
}

// What one thing in the queue is waiting for, in one word.
export function stateOf(row, account) {
  if (row.state === "refused") return "refused";
  if (row.state === "received") return row.verdict === "review" || row.verdict === "quarantined" ? "review" : "sending";
  if (!account.token || account.refused) return "signed_out";
  return !navigator.onLine || row.why === "offline" ? "offline" : row.why || "waiting";
}

// Try at every good moment.
export function keepSending() {
  const now = () => send().catch((error) => { console.error(error); });
  window.addEventListener("online", () => { pauses.clear(); now(); });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") now(); });
  window.setInterval(now, 5_000);
  now();
  accounts().then((all) => Promise.all(all.map((one) => clearOld(storeOf(one.id))))).catch((error) => { console.error(error); });
}
