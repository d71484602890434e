// Asking the service, as one person, with their token alone: no cookie goes with it.
import { tokenRefused } from "./session.js";

export const VERSION = 1;

// Why something could not be asked: `offline`, `signed_out`, `refused` (with what the service said)
// or `failing` (try later).
export class Unanswered extends Error {
  constructor(kind, answer = {}, status = 0) {
    super(answer.detail || answer.title || kind);
    Object.assign(this, { kind, answer, status });
  }
}

const PATIENCE_MS = 60_000;

export async function ask(account, address, { method = "GET", json, body, headers = {} } = {}) {
  if (!account?.token) throw new Unanswered("signed_out");
  let answer;
  try {
    answer = await fetch(address, {
      method,
      body: json === undefined ? body : JSON.stringify(json),
      headers: {
        Accept: "application/json",
        Authorization: `Bearer ${account.token}`,
        "Accept-Language": document.documentElement.lang,
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    throw new Unanswered("offline", { detail: String(error) });
  }
  if (answer.ok || answer.status === 304) return answer;
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    await tokenRefused(account.id);
    throw new Unanswered("signed_out", said, 401);
  }
  const later = answer.status >= 500 || answer.status === 429 || answer.status === 408;
  throw new Unanswered(later ? "failing" : "refused", said, answer.status);
}

export const askJson = async (...how) => {
  const answer = await ask(...how);
  try {
    return await answer.json();
  } catch (error) {
    // Cut off in the middle: as good as no answer.
    throw new Unanswered("offline", { detail: String(error) });
  }
};
