// The towers that somebody picks out one by one, kept in this window until it is closed: their ids
// alone, so that the next reader of the window learns nothing from them. The page of the map and the
// map inside it share them.
const KEY = "towers";
const READER = "towers of";
// As many as the filter of an address takes (MOST_TOWERS in towers/schemas.py).
export const MOST_CHOSEN = 150;

export function chosen() {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(KEY));
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : [];
  } catch {
    // What another script has left there is no basket.
    return [];
  }
}

const listeners = new Set();
// `told` is told of every change, whoever made it, until what is returned is called.
export function whenChosen(told) {
  listeners.add(told);
  return () => listeners.delete(told);
}
const tell = () => { for (const told of listeners) told(chosen()); };
window.addEventListener("storage", ({ key }) => { if (key === KEY) tell(); });

function keep(ids) {
  window.sessionStorage.setItem(KEY, JSON.stringify(ids));
  tell();
}

// What somebody else picked out in this window, who has signed out since, is forgotten.
export function ownedBy(reader) {
  if (window.sessionStorage.getItem(READER) !== reader) keep([]);
  window.sessionStorage.setItem(READER, reader);
}

export const isChosen = (id) => chosen().includes(id);
export const clear = () => keep([]);

// Puts a tower in, or takes it out; false where there is no room for it.
export function toggle(id) {
  const ids = chosen();
  if (ids.includes(id)) keep(ids.filter((one) => one !== id));
  else if (ids.length >= MOST_CHOSEN) return false;
  else keep([...ids, id]);
  return true;
}

// An id as an address has it: the bytes of the number in 22 letters.
function letters(id) {
  const bytes = id.replaceAll("-", "").match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16)));
  return window.btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
export const textOf = (ids) => ids.map(letters).join(".");
