// Unpacks the Chromium of npm beside this file and prints where it lies. It is for tests on machines
// whose distribution has none that runs without a desktop's services (Ubuntu's is a snap).
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

process.env.TMPDIR = dirname(fileURLToPath(import.meta.url));
const { default: chromium } = await import("@sparticuz/chromium");
console.log(await chromium.executablePath());
