// Where the files of this version are: beside whatever the page has loaded of them. A document that
// was taken along has them in itself, under the address without a version.
const loaded = document.querySelector('script[src*="/dist/"], link[href*="/dist/"]');
export const dist = loaded ? new URL(loaded.src || loaded.href).pathname.replace(/\/dist\/.*$/, "/dist") : "/static/dist";
