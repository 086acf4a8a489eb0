// Node's http and https, through a proxy: absolute-form for http, CONNECT and TLS for https.
// Reads {base, proxy, ca, calls: [[method, path, body]]} and writes a list of what it saw.
import http from "node:http";
import https from "node:https";
import tls from "node:tls";
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0));
const base = new URL(task.base);
const proxy = task.proxy && new URL(task.proxy);
const port = base.port || (base.protocol === "https:" ? 443 : 80);

function tunnel() {
  const authority = `${base.hostname}:${port}`;
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: proxy.hostname, port: proxy.port, method: "CONNECT", path: authority,
      headers: { Host: authority }, agent: false,
    });
    request.once("connect", (response, socket) => {
      if (response.statusCode !== 200) return reject(new Error(`CONNECT: ${response.statusCode}`));
      const secure = tls.connect({ socket, servername: base.hostname, ca: task.ca });
      secure.once("secureConnect", () => resolve(secure)).once("error", reject);
    });
    request.once("error", reject).end();
  });
}

async function options(method, path, body) {
  const headers = { Host: base.host };
  if (body !== null) headers["Content-Length"] = Buffer.from(body, "base64").length;
  const common = { method, path, headers, agent: false };
  if (!proxy) return { ...common, host: base.hostname, port, ca: task.ca };
  if (base.protocol === "http:") {
    return { ...common, host: proxy.hostname, port: proxy.port, path: task.base + path };
  }
  const socket = await tunnel();
  const agent = new https.Agent();
  agent.createConnection = () => socket;
  return { ...common, agent };
}

async function call(method, path, body) {
  const client = base.protocol === "https:" ? https : http;
  const chosen = await options(method, path, body);
  return new Promise((resolve, reject) => {
    const request = client.request(chosen, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece)).on("error", reject);
      response.on("end", () => resolve({
        status: response.statusCode,
        reason: response.statusMessage,
        headers: pairs(response.rawHeaders),
        body: Buffer.concat(pieces).toString("base64"),
        trailers: pairs(response.rawTrailers),
      }));
    });
    request.once("error", reject).end(body === null ? undefined : Buffer.from(body, "base64"));
  });
}

function pairs(flat) {
  return flat.flatMap((name, index) => (index % 2 ? [] : [[name, flat[index + 1]]]));
}

const seen = [];
for (const [method, path, body] of task.calls) {
  seen.push(await call(method, path, body));
}
process.stdout.write(JSON.stringify(seen));
