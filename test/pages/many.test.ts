import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { binaryCrossEntropy, ensemble, open, sgd } from "../../src/index";
import { BATCH, BEGINNING, type ManyConfig, ratesOf, seedsOf } from "../../src/playground/many/config";
import { ManyEngine } from "../../src/playground/many/engine";
import type { ManyLook, Message } from "../../src/playground/many/messages";
import { datasetOf, modelOf, setOf } from "../../src/playground/many/networks";
import { terminate } from "../support/lost-device";
import { axeFaults, firstLoad, numberOf, openSite, reaches, type Site, says, setField, textOf } from "./pages";

let site: Site;
beforeAll(async () => {
  site = await openSite("many");
});
afterEach(() => site.leave());
afterAll(() => site?.close());

/** 16 networks that are trained a few epochs, of which the last rows diverge. */
const FEW: ManyConfig = { ...BEGINNING, count: 16, activation: "relu", most: 1e6, epochs: 12, backend: "cpu" };

/** The same by the library alone. */
async function trained(config: ManyConfig) {
  const device = await open({ backend: "cpu" });
  const { training, heldBack } = await setOf(config);
  const many = await ensemble(device, modelOf(config), {
    ...{ count: config.count, loss: binaryCrossEntropy(), optimizer: sgd({ lr: 1 }), batchSize: BATCH },
    ...{ seeds: seedsOf(config), each: { lr: ratesOf(config) } },
  });
  const { dropped } = await many.fit(datasetOf(training), { epochs: config.epochs });
  const { each, mean } = await many.predict(heldBack.x);
  const share = (said: Float32Array) =>
    said.reduce((right, p, row) => right + Number(p > 0.5 === (heldBack.y[row] === 1)), 0) / said.length;
  device.close();
  return { dropped, shares: each.map(share), together: share(mean) };
}

test("16 networks train to what the library makes of them; those that diverge are named; one is picked by keyboard", async () => {
  const { page, faults } = await site.open("many.html");
  const begun = () => reaches(page, "#figure-epoch", 0);
  expect(await firstLoad(site, page, begun)).toBeLessThan(150_000);

  // What was said of training on the CPU goes with the CPU.
  await says(page, "#notice-text", /^Training on the CPU/);
  await setField(page, "#backend", "webgpu");
  await says(page, "#device", /^WebGPU/);
  expect(await page.$eval("div#notice", (notice) => notice.hidden)).toBe(true);
  await setField(page, "#backend", "cpu");
  for (const name of ["epochs", "count", "activation", "most"] as const) await setField(page, `#${name}`, FEW[name]);
  await says(page, "#figure-epoch", "12 of 12");
  await says(page, "#train", "Train");
  await page.waitForFunction(() => document.querySelectorAll("#tiles li").length === 16);

  const { dropped, shares, together } = await trained(FEW);
  const alive = shares.filter((_, network) => dropped.every((each) => each.network !== network));
  const percent = (share: number) => Number((100 * share).toFixed(1));
  expect(dropped.length).toBeGreaterThan(0);
  expect(alive.length).toBeGreaterThan(0);
  expect(await textOf(page, "#figure-stopped")).toBe(`${dropped.length} of 16`);
  expect(await numberOf(page, "#figure-together")).toBe(percent(together));
  expect(await numberOf(page, "#figure-best")).toBe(percent(Math.max(...alive)));
  expect(await numberOf(page, "#figure-alone")).toBe(percent(alive.reduce((a, b) => a + b, 0) / alive.length));
  const [first] = dropped;
  const said = await page.$$eval("#stopped li", (items) => items.map((item) => item.textContent));
  expect(said).toHaveLength(dropped.length);
  expect(said.join("\n")).toContain(
    `Rate ${ratesOf(FEW)[first?.network ?? 0]}, seed ${seedsOf(FEW)[first?.network ?? 0]}: stopped at step ${first?.step},`,
  );

  // The best stand first, those that stopped last.
  const names = await page.$$eval("#tiles button", (buttons) => buttons.map((button) => button.ariaLabel ?? ""));
  const losses = names.map((name) => Number(/loss ([\d.]+)/.exec(name)?.[1] ?? Infinity));
  expect(losses).toEqual([...losses].sort((a, b) => a - b));
  await page.focus("#tiles button");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await says(page, "#one-title", "The one you picked");
  expect(await textOf(page, "#one-said")).toBe(names[1]);
  expect(await axeFaults(page)).toEqual([]);
  await page.setViewport({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(faults).toEqual([]);
});

test("where the device goes away the same networks go on on another, from where they stood", async () => {
  const ends: ManyLook[] = [];
  for (const lossy of [false, true]) {
    const engine = new ManyEngine();
    const lost: Message[] = [];
    let finished = () => {};
    let last: ManyLook | null = null;
    const done = new Promise<void>((resolve) => {
      finished = resolve;
    });
    engine.listen((message) => {
      if (message.kind === "failed") throw new Error(message.message);
      if (message.kind === "lost") lost.push(message);
      if (message.kind === "state" && message.state === "finished") finished();
      if (message.kind !== "look") return;
      last = message.look;
      if (lossy && last.epoch === 2 && lost.length === 0) terminate(Reflect.get(engine, "device"));
    });
    await engine.make({ ...FEW, epochs: 6 }, true);
    await done;
    expect(lost.map((message) => message.kind === "lost" && message.step)).toEqual(lossy ? [14] : []);
    if (last) ends.push(last);
    await engine.pause();
    Reflect.get(engine, "device").close();
  }
  expect(ends[1]?.losses).toEqual(ends[0]?.losses);
  expect(ends[1]?.mean).toEqual(ends[0]?.mean);
});
