import { type Checked, type Opened, Suite } from "../playground/verify/suite";

/** What a browser of a fleet is asked for: it runs this as the only module of an empty page. */
declare global {
  /** Opens the browser's own adapter. */
  var openSuite: (whole: boolean) => Promise<Opened>;
  var runSuite: () => Promise<{ results: Checked[]; seconds: number }>;
  /** Given by who asks. */
  var toldOfCheck: (done: number) => Promise<void>;
}

const suite = new Suite();
globalThis.openSuite = (whole) => suite.open("webgpu", whole);
globalThis.runSuite = async () => {
  const results: Checked[] = [];
  const began = performance.now();
  await suite.run((checked) => {
    results.push(checked);
    void globalThis.toldOfCheck(results.length);
  });
  suite.close();
  return { results, seconds: (performance.now() - began) / 1000 };
};
