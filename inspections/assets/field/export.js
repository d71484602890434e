// Everything that waits, in one file: where a phone can no longer send, staff read it in. The phone
// signs it, by the hash of its token: the token itself never stands in a file.
import { photosOf } from "./sync.js";

const utf8 = new TextEncoder();
const sha256 = (bytes) => crypto.subtle.digest("SHA-256", bytes);
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function signatureOf(text, token) {
  const key = await crypto.subtle.importKey("raw", await sha256(utf8.encode(token)), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, utf8.encode(text)));
}

function base64(bytes) {
  let text = "";
  for (let from = 0; from < bytes.length; from += 32_768) text += String.fromCharCode(...bytes.subarray(from, from + 32_768));
  return btoa(text);
}

// The bytes of a photo; null where the phone itself can no longer read it as it was: the others are
// brought nevertheless.
async function bytesOf({ blob, sha256: expected }) {
  try {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return hex(await sha256(bytes)) === expected ? bytes : null;
  } catch {
    return null;
  }
}

// A Blob with the whole queue of one person.
export async function queueFile(account, db) {
  const rows = await db.queue.orderBy("id").toArray();
  const operations = rows.map(({ id, kind, made_at, body }) => ({ id, kind, made_at, body }));
  const photos = [];
  const contents = [];
  for (const row of rows) {
    for (const photo of await photosOf(db, row)) {
      const bytes = await bytesOf(photo);
      if (!bytes) continue;
      const { blob, offset, state, visit, ...facts } = photo;
      photos.push({ ...facts, inspection: row.body.id });
      contents.push(contents.length ? "," : "", JSON.stringify(photo.id), ":", `"${base64(bytes)}"`);
    }
  }
  const signed = JSON.stringify({ device_time: new Date().toISOString(), device: account.device, user: account.id, operations, photos });
  const head = `{"format":"thap-canh-queue","version":2,"signed":${JSON.stringify(signed)},"signature":"${await signatureOf(signed, account.token)}","photos":{`;
  return new Blob([head, ...contents, "}}"], { type: "application/json" });
}
