// Node's fetch, reading a stream as it comes. Reads {base, path}; writes [[text, ms since the first]].
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0));
const response = await fetch(task.base + task.path);
const decoder = new TextDecoder();
const seen = [];
let began = 0;
for await (const piece of response.body) {
  began ||= performance.now();
  seen.push([decoder.decode(piece, { stream: true }), performance.now() - began]);
}
process.stdout.write(JSON.stringify(seen));
