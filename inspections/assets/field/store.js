// What the phone keeps. Each person has a database of their own: nothing of one can come before the
// eyes of another, whatever is asked for. The phone's own one only knows who is signed in.
import { Dexie } from "dexie";

// Writes are on the disk, not in a buffer, before they count: a battery may be empty at any moment.
const OPTIONS = { chromeTransactionDurability: "strict" };

export const phone = new Dexie("thap-canh-phone", OPTIONS);
phone.version(1).stores({ accounts: "id" });

const opened = new Map();

// The database of one person on this phone.
export function storeOf(account) {
  if (!opened.has(account)) {
    const db = new Dexie(`thap-canh-${account}`, OPTIONS);
    db.version(1).stores({
      // Single things by name: the work list, the index of towers, when what was fetched.
      facts: "name",
      towers: "code",
      checklists: "version",
      pictures: "id",
      // Visits that are being filled in, their answers one by one, and photos of visits.
      drafts: "id, tower",
      answers: "[draft+item], draft",
      photos: "id, visit",
      // What waits to be sent or to be confirmed whole, and what is safe.
      queue: "id, visit, state",
      receipts: "id, safe_at",
    });
    opened.set(account, db);
  }
  return opened.get(account);
}

export async function fact(db, name, otherwise = null) {
  return (await db.facts.get(name))?.value ?? otherwise;
}

export const keepFact = (db, name, value) => db.facts.put({ name, value });

// Whether an error says that the phone has no room left. Chromium says that of its own limit; where
// the disk itself is full it cannot write a photo (DataError) or a transaction (UnknownError).
const FULL = new Set(["QuotaExceededError", "DataError", "UnknownError"]);
export function isFull(error) {
  return [error, error?.inner, error?.cause].some((one) => FULL.has(one?.name));
}

// What the browser says of room: bytes used and allowed, and whether it may throw our data away.
export async function room() {
  const manager = navigator.storage;
  if (!manager?.estimate) return { used: null, allowed: null, lasting: false };
  const [{ usage, quota }, lasting] = await Promise.all([manager.estimate(), manager.persisted()]);
  return { used: usage, allowed: quota, lasting };
}

// Ask that the browser never throws our data away; true where it promises.
export const askToLast = async () => Boolean(await navigator.storage?.persist?.());
