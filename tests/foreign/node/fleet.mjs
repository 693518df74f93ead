// Clients of the npm package reconnecting-websocket: `node fleet.mjs URL N MIN_DELAY GROWTH`.
import ReconnectingWebSocket from "reconnecting-websocket";
import WebSocket from "ws";

const [url, count, minDelay, growth] = process.argv.slice(2);
for (let number = 0; number < Number(count); number++) {
  const socket = new ReconnectingWebSocket(`${url}/?client=${number}`, ["chat"], {
    WebSocket,
    minReconnectionDelay: Number(minDelay),
    reconnectionDelayGrowFactor: Number(growth),
    minUptime: 100,
  });
  socket.addEventListener("open", () => socket.send("hello"));
  socket.addEventListener("message", ({ data }) => {
    if (data !== "hello") process.exit(1);
  });
}
