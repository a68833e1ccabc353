import type { Compiled } from "./compile";
import { type Buffer, sizeBytesOf } from "./layout";

/** The kernels as a person reads them, and the memory plan. */
export function explain(
  { kernels, buffers, bytes, sizeBytes }: Compiled,
  route: string,
  /** How many threads, and why it is one. */
  { count, alone }: { readonly count: number; readonly alone: string | null },
): string {
  const names = (list: readonly Buffer[]) => list.map(({ name }) => name).join(", ");
  const shared = buffers.filter(({ role }) => role === "intermediate" || role === "scratch" || role === "partials");
  const size = (list: readonly Buffer[]) => list.reduce((sum, buffer) => sum + sizeBytesOf(buffer), 0);
  const resident = buffers.filter((buffer) => !shared.includes(buffer));
  return [
    `plan ${hash(bytes)}: ${kernels.length} kernel${kernels.length === 1 ? "" : "s"} a step`,
    `route: ${route}`,
    `threads: ${count}${alone === null ? "" : `, ${alone}`}`,
    ...kernels.flatMap(({ kind, label, shapes, reads, writes, records, flops, threads: most }, i) => [
      `  ${i + 1}  ${kind.padEnd(11)} ${label}  ${shapes}`,
      `       ${names(reads) || "nothing"} -> ${[...writes.map(({ name }) => name), ...records.map((name) => `${name} of the step`)].join(", ") || "a number"}   (${flops} FLOP, ${size([...reads, ...writes])} B${count > 1 ? `, ${countOf(Math.min(count, most))}` : ""})`,
    ]),
    "memory:",
    ...resident.map(
      ({ role, name, elements, dtype }) => `  ${role.padEnd(12)} ${name}  ${elements} ${dtype}, ${elements * 4} B`,
    ),
    `  intermediate ${shared.length} buffers, ${size(shared)} B if each had its own`,
    `  in all ${sizeBytes} B; code ${bytes.length} B`,
  ].join("\n");
}

/** Threads in words. */
function countOf(threads: number): string {
  return threads === 1 ? "one thread" : `${threads} threads`;
}

/** FNV-1a over the module: equal code, equal names. */
function hash(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
