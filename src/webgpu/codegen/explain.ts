import { type Dispatch, type Plan, planHash, sizeBytesOf } from "./plan";

const ROUTES = {
  recorded: "recorded, a dispatch a kernel and many steps a submission",
  persistent: "persistent, many steps inside one dispatch of one workgroup",
} as const;

/** The plan as a person reads it: a line per kernel with its operands, shapes, bytes and FLOPs, and the memory plan. */
export function explain(plan: Plan): string {
  const name = (buffer: number) => plan.buffers[buffer]?.name ?? "?";
  const line = (dispatch: Dispatch, i: number | string) => {
    const reads = dispatch.bindings.filter(({ access }) => access === "read").map(({ buffer }) => name(buffer));
    const writes = dispatch.bindings.filter(({ access }) => access === "read_write").map(({ buffer }) => name(buffer));
    const work = `${count(dispatch.flops, "FLOP")}, ${count(dispatch.bytes, "B")}, ${dispatch.workgroups.reduce((a, b) => a * b)} workgroups`;
    return `  ${i}  ${dispatch.kernel.padEnd(11)} ${[dispatch.label, dispatch.shapes].filter(Boolean).join("  ")}\n       ${reads.join(", ") || "nothing"} -> ${writes.join(", ")}   (${work})`;
  };
  const intermediate = plan.buffers.filter(({ role }) => role === "intermediate");
  const allocations = new Set(intermediate.map(({ allocation }) => allocation));
  const bytes = (indices: Iterable<number>) =>
    [...indices].reduce((sum, allocation) => sum + (plan.allocations[allocation] ?? 0), 0);
  const apart = intermediate.reduce((sum, buffer) => sum + sizeBytesOf(buffer), 0);
  return [
    `plan ${planHash(plan)}: ${plan.step.length} kernel${plan.step.length === 1 ? "" : "s"} a step`,
    `route: ${ROUTES[plan.route]}${plan.copies > 1 ? `, ${plan.copies} copies side by side` : ""}${plan.reason ? ` (${plan.reason})` : ""}`,
    ...plan.step.map((dispatch, i) => line(dispatch, i + 1)),
    ...(plan.deferred ? ["once a submission, for all its steps:", line(plan.deferred, "·")] : []),
    "memory:",
    ...plan.buffers
      .filter(({ role }) => role !== "intermediate" && role !== "state")
      .map(
        ({ name, role, elements, dtype }) =>
          `  ${role.padEnd(12)} ${name}  ${elements} ${dtype}, ${count(sizeBytesOf({ elements, dtype }), "B")}`,
      ),
    `  intermediate ${intermediate.length} buffers in ${allocations.size} allocations, ${count(bytes(allocations), "B")} instead of ${count(apart, "B")}`,
    `  in all ${count(
      plan.allocations.reduce((sum, size) => sum + size, 0),
      "B",
    )}`,
  ].join("\n");
}

function count(value: number, unit: string): string {
  for (const [size, prefix] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${prefix}${unit}`;
  }
  return `${value} ${unit}`;
}
