// A signature is drawn with a finger, a pen or the mouse, and goes along as a picture.
const form = document.querySelector("#sign");
const pad = form.querySelector("canvas");
const ink = pad.getContext("2d");
let drawn = false;

function place(event) {
  const box = pad.getBoundingClientRect();
  return [(event.clientX - box.left) * (pad.width / box.width), (event.clientY - box.top) * (pad.height / box.height)];
}

function clear() {
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, pad.width, pad.height);
  ink.lineWidth = 5;
  ink.lineCap = ink.lineJoin = "round";
  ink.strokeStyle = "#12233f";
  drawn = false;
}
clear();

pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  ink.beginPath();
  ink.moveTo(...place(event));
});
pad.addEventListener("pointermove", (event) => {
  if (!pad.hasPointerCapture(event.pointerId)) return;
  ink.lineTo(...place(event));
  ink.stroke();
  drawn = true;
});
form.querySelector("[data-clear]").addEventListener("click", clear);

let ready = false;
form.addEventListener("submit", (event) => {
  if (!drawn || ready) return;
  event.preventDefault();
  pad.toBlob((picture) => {
    const files = new DataTransfer();
    files.items.add(new File([picture], "signature.png", { type: "image/png" }));
    form.elements.file.files = files.files;
    ready = true;
    form.requestSubmit();
  }, "image/png");
});
