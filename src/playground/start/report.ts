/** What the page tells whoever opened it: `npm start` prints these, a plain browser shows the same on the page. */
export type Report =
  | { kind: "device"; lines: string[] }
  | { kind: "begin"; id: string; title: string; steps: number }
  | { kind: "parity"; id: string; text: string }
  | { kind: "progress"; id: string; step: number; steps: number; loss: string; stepsPerSecond: number }
  | { kind: "end"; id: string; lines: string[]; weights: string }
  | { kind: "done" }
  | { kind: "failed"; message: string };

declare global {
  interface Window {
    /** Put there by `npm start` before the page loads. */
    wgradReport?: (report: Report) => Promise<void>;
  }
}
