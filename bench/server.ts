import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export interface Served {
  /** Ends in "/". */
  address: string;
  /** Bytes of bodies since the last call, gzipped as they were sent, by path. */
  takeBytes(): Record<string, number>;
  close(): Promise<void>;
}

/** Serves a folder, gzipped, with nothing kept by the browser. Everything is read and compressed before it is measured. */
export async function serve(root: string): Promise<Served> {
  const cache = new Map<string, Buffer>();
  let sent: Record<string, number> = {};
  const bodyOf = (path: string): Buffer => {
    const known = cache.get(path);
    if (known) return known;
    const body = gzipSync(readFileSync(join(root, normalize(path))), { level: 9 });
    cache.set(path, body);
    return body;
  };
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] as string);
    try {
      const body = bodyOf(path);
      sent[path] = body.length;
      const type = types[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Content-Encoding": "gzip", "Cache-Control": "no-store" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    takeBytes() {
      const taken = sent;
      sent = {};
      return taken;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
