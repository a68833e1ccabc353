import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  start(total: number, done: number): void;
  tell(done: number, line: string): void;
  stop(): void;
}

/** A bar on stderr, where that is a terminal; elsewhere ten lines. */
export function terminalProgress(stream: NodeJS.WriteStream, unit: string): Progress {
  if (!stream.isTTY) return lines(stream, unit);
  const format = `{bar} {value} of {total} ${unit} · {eta_formatted} left · {line}`;
  const bar = new SingleBar({ format, stream, hideCursor: true, gracefulExit: false, fps: 10 }, Presets.shades_classic);
  let running = false;
  return {
    start(total, done) {
      running = true;
      bar.start(total, done, { line: "" });
    },
    tell: (done, line) => bar.update(done, { line }),
    stop() {
      if (running) bar.stop();
      running = false;
    },
  };
}

function lines(stream: NodeJS.WriteStream, unit: string): Progress {
  let total = 1;
  let told = 0;
  return {
    start(count, done) {
      total = count;
      told = Math.floor((10 * done) / count);
    },
    tell(done, line) {
      const tenth = Math.floor((10 * done) / total);
      if (tenth > told) stream.write(`${done} of ${total} ${unit}: ${line}\n`);
      told = Math.max(told, tenth);
    },
    stop() {},
  };
}
