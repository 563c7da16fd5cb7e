/**
 * What npm, Bun and Deno install from, on this machine and with one package in it: so that `npx`, `bunx` and `npm:`
 * find what was packed by its name, as users will.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

/**
 * Serves the package in `tarball` on the loopback address.
 *
 * @param {string} tarball path of what `npm pack` wrote
 * @param {Record<string, any>} manifest the package.json in it
 * @returns {Promise<{ url: string, served: () => number, close: () => void }>} `served`: how often it was fetched
 */
export async function serveTarball(tarball, manifest) {
  const { name, version } = manifest;
  const bytes = readFileSync(tarball);
  const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  const shasum = createHash("sha1").update(bytes).digest("hex");

  let served = 0;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", url).pathname;
    if (path === `/${name}.tgz`) {
      served++;
      return response.end(bytes);
    }
    if (path !== `/${name}`) {
      response.statusCode = 404;
      return response.end("{}");
    }
    response.setHeader("content-type", "application/json");
    const dist = { tarball: `${url}${name}.tgz`, integrity, shasum };
    response.end(JSON.stringify({
      name,
      "dist-tags": { latest: version },
      // Long ago: Bun and Deno may be told to leave out what is too young.
      time: { [version]: "2020-01-01T00:00:00.000Z" },
      versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const url = `http://127.0.0.1:${port}/`;
  return {
    url,
    served: () => served,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
