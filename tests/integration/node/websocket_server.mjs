// A server with Node's `ws`, which WS_MODULE names: it greets, echoes, and closes on "bye".
// Prints its port; TLS where TLS_CHAIN names a PEM file with key and certificates.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const { WebSocketServer } = await import(process.env.WS_MODULE);
const pem = process.env.TLS_CHAIN && readFileSync(process.env.TLS_CHAIN);
const server = pem ? https.createServer({ key: pem, cert: pem }) : http.createServer();
new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } }).on("connection", (socket) => {
  socket.send("welcome");
  socket.on("message", (data, isBinary) => {
    if (!isBinary && data.toString() === "bye") socket.close(4001, "so long");
    else socket.send(data, { binary: isBinary });
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
