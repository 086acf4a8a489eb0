// Node's fetch. Reads {base, calls: [[method, path, body]]} and writes a list of what it saw.
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0));
const seen = [];
for (const [method, path, body] of task.calls) {
  const response = await fetch(task.base + path, {
    method,
    body: body === null ? undefined : Buffer.from(body, "base64"),
    redirect: "manual",
  });
  seen.push({
    status: response.status,
    reason: response.statusText,
    headers: [...response.headers],
    body: Buffer.from(await response.arrayBuffer()).toString("base64"),
    trailers: [],
  });
}
process.stdout.write(JSON.stringify(seen));
