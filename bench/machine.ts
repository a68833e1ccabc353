import { spawnSync } from "node:child_process";
import { cpus, loadavg, release, type } from "node:os";
import type { Results } from "./results";

/** Called before anything is measured: `load` is what others make of the machine, in processors busy over a minute. */
export function machine(): Results["machine"] {
  const processors = cpus();
  return {
    system: `${type()} ${release()}`,
    processor: processors[0]?.model.trim() || "processor",
    cores: processors.length,
    load: loadavg()[0] ?? 0,
  };
}

/** The commit that was measured, with a + where files differ from it; "unknown" outside of a repository. */
export function commitOf(root: string): string {
  const git = (...args: string[]) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const head = git("rev-parse", "--short=10", "HEAD");
  if (head.status !== 0) return "unknown";
  const changed =
    git("status", "--porcelain", "--untracked-files=no", "--", "src", "shaders", "bench").stdout.trim() !== "";
  return head.stdout.trim() + (changed ? "+" : "");
}
