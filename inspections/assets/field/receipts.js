// Proof that the service has something whole. Nothing leaves the phone before such a receipt.
import { sha256 } from "./camera.js";
import { fact } from "./store.js";

const DAY_MS = 86_400_000;

// The same JSON whatever the order in which it was written: what the service hashes too.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const names = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

export const contentHash = (body) => sha256(new TextEncoder().encode(canonical(body)));

// What is wrong with a receipt, an empty text where it proves that all of this has arrived.
export async function doubt(row, photos, receipt) {
  if (!receipt?.complete || !receipt.signature) return "not whole yet";
  if (receipt.operation !== row.id) return "of something else";
  if (receipt.content_sha256 !== await contentHash(row.body)) return "of another content";
  const safe = new Map(receipt.photos.filter((one) => one.state === "safe").map((one) => [one.id, one.sha256]));
  return photos.every((one) => safe.get(one.id) === one.sha256) ? "" : "without a photo";
}

// The phone may let go: the receipt takes the place of what it is the receipt of. `safeAt` is a
// time of the service.
export async function letGo(db, row, photos, receipt, safeAt) {
  await db.transaction("rw", db.queue, db.receipts, db.drafts, db.answers, db.photos, async () => {
    await db.receipts.put({ id: row.id, tower: row.tower, what: row.what, version: row.version, verdict: row.verdict, made_at: row.made_at, photos: photos.length, safe_at: Date.parse(safeAt), receipt });
    await db.queue.delete(row.id);
    await db.photos.bulkDelete(photos.map((one) => one.id));
    if (!row.visit) return;
    const draft = await db.drafts.get(row.visit);
    if (draft?.queued !== row.id) return;
    await db.drafts.delete(row.visit);
    await db.answers.where({ draft: row.visit }).delete();
  });
}

// Receipts are kept for some weeks, then they go too. Their time is that of the service: a clock
// that is years ahead would make all of them old.
export async function clearOld(db) {
  if ((await fact(db, "clock"))?.skewed) return;
  const days = (await fact(db, "work"))?.settings.keep_receipts_days || 30;
  await db.receipts.where("safe_at").below(Date.now() - days * DAY_MS).delete();
}
