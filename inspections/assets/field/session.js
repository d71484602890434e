// Who uses this phone. One person at a time is shown; what others left here stays theirs, and goes
// out by their own token if they have not signed out.
import { phone, storeOf } from "./store.js";

// Nobody waits longer for it to be said that they are signed out.
const PATIENCE_MS = 10_000;

export const accounts = () => phone.accounts.toArray();

export const active = async () => (await accounts()).find((one) => one.active) || null;

// The name under which a person's device is known: the same one as before on this phone.
export async function deviceOf(user) {
  return (await phone.accounts.get(user))?.device || crypto.randomUUID();
}

// Somebody signed in: `made` is what the service said of their device.
export async function signIn({ id: device, name: deviceName, token, user, expires_at: expires }) {
  await phone.transaction("rw", phone.accounts, async () => {
    await phone.accounts.toCollection().modify({ active: false });
    await phone.accounts.put({ id: user.id, name: user.name, email: user.email, device, deviceName, token, expires, active: true, refused: false });
  });
}

// The token goes; what is stored stays, until the same person signs in again. The session of the
// browser must end as well, or whoever is next on this phone could go on as the one before: where
// there is no network now, the page to sign in ends it (`left`), and the token ends when there is
// one again (`ending`).
export async function signOut(id) {
  const { token } = await phone.accounts.get(id);
  await phone.accounts.update(id, { token: null, ending: token, active: false, refused: false, left: true });
  await endTokens();
  if (await endSession()) await phone.accounts.update(id, { left: false });
}

// Let the service forget the tokens of those who signed out here. Who signs in again has another.
export const endTokens = () => navigator.locks.request("thap-canh-end-tokens", async () => {
  for (const { id, ending } of await accounts()) {
    if (ending && await endToken(ending)) await phone.accounts.update(id, { ending: null });
  }
});

async function endToken(token) {
  try {
    const answer = await fetch("/api/v1/devices/token", {
      method: "DELETE", headers: { Authorization: `Bearer ${token}` }, credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return answer.ok || answer.status === 401;
  } catch {
    return false;
  }
}

// Whether no session of the ordinary pages is left on this phone.
async function endSession() {
  try {
    const answer = await fetch("/field/sign-in", { redirect: "manual" });
    if (answer.type === "opaqueredirect") return true;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return await leave(page.querySelector("#leave"));
  } catch {
    return false;
  }
}

// Send the form that ends a session; true where it has.
export async function leave(form) {
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)) });
  return answer.ok;
}

// Whether somebody signed out here whose session has not ended; asked once.
export async function hasLeft(id) {
  const left = Boolean((await phone.accounts.get(id))?.left);
  if (left) await phone.accounts.update(id, { left: false });
  return left;
}

// The service no longer knows the token: nothing is fetched until its owner signs in again.
export async function tokenRefused(id) {
  await phone.accounts.update(id, { refused: true });
  window.dispatchEvent(new Event(ACCOUNT));
}

// Told when the account of somebody is another than it was.
export const ACCOUNT = "thap-canh-account";

export const canFetch = (account) => Boolean(account.token) && !account.refused;
// A phone that was shut out still brings what it has: the service keeps that for staff to decide.
export const canSend = (account) => Boolean(account.token);

// How many things of others wait on this phone for their owners: a number, never what they are.
export async function waitingOfOthers(id) {
  const others = (await accounts()).filter((one) => one.id !== id);
  const counts = await Promise.all(others.map(async (one) => {
    const db = storeOf(one.id);
    return (await db.queue.count()) + (await db.drafts.filter((draft) => !draft.queued).count());
  }));
  return { people: counts.filter(Boolean).length, things: counts.reduce((sum, one) => sum + one, 0) };
}
