// A WebSocket client: `ws` where WS_MODULE names it, otherwise the one that Node has built in.
// The task comes as JSON on the standard input, what was heard goes out as JSON.
import http from "node:http";
import { text } from "node:stream/consumers";
import tls from "node:tls";
import { converse } from "./converse.mjs";

const { url, proxy, lines } = JSON.parse(await text(process.stdin));
const { protocol, host, hostname } = new URL(url);

function tunnel() {
  const { hostname: at, port } = new URL(proxy);
  const connect = { host: at, port, method: "CONNECT", path: host, headers: { Host: host } };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...connect, agent: false });
    request.once("connect", (_, socket) => resolve(socket)).once("error", reject).end();
  });
}

async function open() {
  if (!process.env.WS_MODULE) return new WebSocket(url);
  const { WebSocket: Client } = await import(process.env.WS_MODULE);
  if (!proxy) return new Client(url);
  const socket = await tunnel();
  const secure = () => tls.connect({ socket, servername: hostname });
  return new Client(url, { createConnection: protocol === "wss:" ? secure : () => socket });
}

console.log(JSON.stringify(await converse(await open(), lines)));
