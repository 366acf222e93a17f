// What tokscale's reader, a native module, finds below a home; its command line would need Bun and prices from the net.
import { createRequire } from "node:module";

const { messages } = createRequire(import.meta.url)("@tokscale/core-linux-x64-gnu").parseLocalSources({ homeDir: process.argv[2] });
const sum = (name) => messages.reduce((total, message) => total + message[name], 0);
console.log(JSON.stringify(["input", "cacheRead", "cacheWrite", "output"].map(sum)));
