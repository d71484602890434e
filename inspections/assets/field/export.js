// Everything that waits, in one file: where a phone can no longer send, staff read it in.
import { photosOf } from "./sync.js";

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let from = 0; from < bytes.length; from += 32_768) text += String.fromCharCode(...bytes.subarray(from, from + 32_768));
  return btoa(text);
}

// A Blob with the whole queue of one person.
export async function queueFile(account, db) {
  const rows = await db.queue.orderBy("id").toArray();
  const operations = rows.map(({ id, kind, made_at, body }) => ({ id, kind, made_at, body }));
  const parts = [`{"format":"thap-canh-queue","version":1,"device_time":${JSON.stringify(new Date().toISOString())},"device":${JSON.stringify(account.device)},"user":${JSON.stringify(account.id)},"operations":${JSON.stringify(operations)},"photos":[`];
  let first = true;
  for (const row of rows) {
    for (const { blob, offset, state, visit, ...photo } of await photosOf(db, row)) {
      parts.push(first ? "" : ",", JSON.stringify({ ...photo, inspection: row.body.id, base64: await base64(blob) }));
      first = false;
    }
  }
  parts.push("]}");
  return new Blob(parts, { type: "application/json" });
}
