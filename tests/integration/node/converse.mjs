// Says each of `lines` over a WebSocket when the one before was answered; resolves with what came.
export function converse(socket, lines) {
  const heard = [];
  const said = lines.map((line) => (line.text ?? new Uint8Array(line.binary)));
  socket.binaryType = "arraybuffer";
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      const text = typeof data === "string";
      heard.push(text ? { text: data } : { binary: [...new Uint8Array(data)] });
      socket.send(said[heard.length - 1]);
    };
    socket.onclose = ({ code, reason }) => resolve([...heard, { code, reason }]);
  });
}
