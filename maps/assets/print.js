// The map as it is printed: the button, and a sheet as wide as the window where that is narrower.
const sheet = document.querySelector(".sheet");

document.querySelector("#print").addEventListener("click", () => window.print());

function fit() {
  sheet.style.zoom = 1;
  const room = document.documentElement.clientWidth / (sheet.offsetWidth + 16);
  sheet.style.zoom = Math.min(1, room);
}
window.addEventListener("resize", fit);
fit();
