// The language of the app on this phone. It must be known before texts are loaded, so this module
// is imported first; the page itself is the same for everybody.
const KEY = "field-language";

export const language = localStorage.getItem(KEY) === "en" ? "en" : "vi";
document.documentElement.lang = language;

// The ordinary page by which one signs in, in the same language.
export const signInAt = `/field/sign-in?lang=${language}`;

export function choose(other) {
  localStorage.setItem(KEY, other);
  window.location.reload();
}
