/**
 * Listens with the smallest backlog and prints its address. The test then stops this process, so that it
 * accepts nobody, and fills the backlog.
 *
 * @module
 */

import net from "node:net";

const server = net.createServer((socket) => socket.destroy());
server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
  const { address, port } = server.address() as net.AddressInfo;
  console.log(JSON.stringify({ hostname: address, port }));
});
