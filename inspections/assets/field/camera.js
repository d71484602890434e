// Pictures for the record: made small on the phone, with their hash, place and time beside them.
import { here } from "./position.js";

const QUALITY = 0.85;
// A place of longer ago says nothing about a photo of now.
const PLACE_HOLDS_MS = 120_000;
// What the camera has made in this minute was taken here; other files may come from anywhere.
const JUST_NOW_MS = 60_000;

export const hex = (bytes) => Array.from(new Uint8Array(bytes), (one) => one.toString(16).padStart(2, "0")).join("");
export const sha256 = async (data) => hex(await crypto.subtle.digest("SHA-256", data));

async function shrunk(picture, width, height, longEdge) {
  const scale = Math.min(1, longEdge / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", QUALITY); });
  if (!blob) throw new Error("no picture");
  return blob;
}

async function record(blob, visit, item, source, takenAt) {
  const place = source === "camera" ? here() : null;
  const known = place && Date.now() - place.at < PLACE_HOLDS_MS;
  return {
    id: crypto.randomUUID(), visit, item, source, blob,
    sha256: await sha256(await blob.arrayBuffer()),
    byte_size: blob.size,
    media_type: "image/jpeg",
    taken_at: takenAt.toISOString(),
    ...(known ? { latitude: place.latitude, longitude: place.longitude, accuracy_m: place.accuracy_m } : {}),
    offset: 0, state: "waiting",
  };
}

// A photo from a file that was chosen or just taken; throws where it is no picture.
export async function fromFile(file, { visit, item, longEdge, camera }) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const source = camera && Math.abs(Date.now() - file.lastModified) < JUST_NOW_MS ? "camera" : "file";
    const blob = await shrunk(picture, picture.width, picture.height, longEdge);
    return await record(blob, visit, item, source, new Date(file.lastModified || Date.now()));
  } finally {
    picture.close();
  }
}

// A photo of what a running camera sees now.
export async function fromVideo(video, { visit, item, longEdge }) {
  const blob = await shrunk(video, video.videoWidth, video.videoHeight, longEdge);
  return record(blob, visit, item, "camera", new Date());
}
