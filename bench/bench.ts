import type { Bench } from "./contender";
import type { Library, Prepared } from "./library";
import { dataOf } from "./tasks";

/** A library's tasks, run and timed in this thread. */
export function benchOf(library: Library): Bench {
  let prepared: Prepared | undefined;
  const ready = (): Prepared => {
    if (!prepared) throw new Error("internal: nothing is prepared");
    return prepared;
  };
  const release = async () => {
    prepared?.dispose();
    prepared = undefined;
  };
  return {
    open: () => library.open(),
    async prepare(task) {
      await release();
      prepared = await library.prepare(task, dataOf(task));
    },
    async run(steps) {
      const begun = performance.now();
      const losses = await ready().run(steps);
      return { ms: performance.now() - begun, losses };
    },
    async row(row) {
      return (await ready().row?.(row)) ?? [];
    },
    plan: async () => (await ready().plan?.()) ?? null,
    release,
  };
}
