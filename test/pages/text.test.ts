import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElementHandle } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { isAdapter } from "../../examples/lora";
import { open, readSafetensors, softmaxCrossEntropy, trainer } from "../../src/index";
import { TextEngine } from "../../src/playground/text/engine";
import type { Message, TextMade, Written } from "../../src/playground/text/messages";
import { gpt, optimizerOf, SIZES, viewProgram } from "../../src/playground/text/network";
import { alphabetIn, cleaned, parts } from "../../src/playground/text/text";
import { drawn, write } from "../../src/playground/text/writer";
import { axeFaults, firstLoad, openSite, reaches, type Site, says, setField, textOf } from "./pages";

let site: Site;
const folder = mkdtempSync(join(tmpdir(), "wgrad-text-"));
beforeAll(async () => {
  site = await openSite("text");
});
afterEach(() => site.leave());
afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

const sizes = SIZES.small;
const STEPS = 40;
const proverbs = cleaned(readFileSync("examples/proverbs.txt", "utf8"));
const TEXT = proverbs.slice(0, 6000);
const WISH = { prompt: "The ", temperature: 0.5 };

/** The same by the library alone. */
async function trained() {
  const device = await open({ backend: "cpu" });
  const alphabet = alphabetIn(TEXT);
  const model = gpt(alphabet.characters.length, sizes, false);
  const net = await trainer(device, model, {
    ...{ loss: softmaxCrossEntropy(), optimizer: optimizerOf(STEPS, false), batchSize: sizes.batch, clipNorm: 1 },
  });
  const { training, heldBack } = parts(alphabet.tokens(TEXT), sizes.length);
  await net.fit(training, { steps: STEPS });
  const session = await device.compile(viewProgram(model, sizes));
  session.write(await net.weights());
  return { device, alphabet, net, session, model, bits: (await net.evaluate(heldBack)).loss / Math.LN2 };
}

test("a text is learnt to the bits that the library gives, and written on as it writes; each head's looks are shown", async () => {
  const { page, faults } = await site.open("text.html");
  const begun = () => reaches(page, "#figure-held", 0);
  const isText = (url: string) => /genesis.*\.txt$/.test(url);
  expect(await firstLoad(site, page, begun, isText)).toBeLessThan(150_000);
  await setField(page, "#backend", "cpu");
  await setField(page, "#steps", STEPS);
  await setField(page, "#temperature", WISH.temperature);
  await setField(page, "#prompt", WISH.prompt);
  const path = join(folder, "proverbs.txt");
  writeFileSync(path, TEXT.replaceAll("\n", "\r\n"));
  await ((await page.$("#text-file")) as ElementHandle<HTMLInputElement>).uploadFile(path);
  await says(page, "#text-said", "proverbs.txt: 6,000 characters.");
  await says(page, "#figure-step", "40 of 40");
  await says(page, "#train", "Train");
  await says(page, "#written-at", "at step 40");

  const { device, net, session, bits, ...all } = await trained();
  expect(await textOf(page, "#figure-held")).toBe(bits.toFixed(2));
  const written = await write(session, { ...all, sizes }, WISH, STEPS);
  expect(await page.$eval("#written", (said) => said.textContent)).toBe(WISH.prompt + written.text);

  // What the page draws is the network's own: its predictions, and looks that no later character is in.
  const { length: T } = sizes;
  const tokens = all.alphabet.tokens(TEXT.slice(100, 100 + T));
  const { logits = new Float32Array(), ...looks } = await session.run({ tokens });
  const outputs = all.alphabet.characters.length;
  const probabilities = await net.predict(tokens);
  for (const at of [0, 7, T - 1]) {
    const place = Array.from(logits.subarray(at * outputs, (at + 1) * outputs), Math.exp);
    const sum = place.reduce((a, b) => a + b, 0);
    place.forEach((value, k) => {
      expect(value / sum).toBeCloseTo(probabilities[at * outputs + k] as number, 5);
    });
  }
  for (const shares of Object.values(looks)) {
    for (let row = 0; row < sizes.heads * T; row++) {
      const own = shares?.subarray(row * T, (row + 1) * T) ?? [];
      expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      expect(own.slice((row % T) + 1).every((share) => share === 0)).toBe(true);
    }
  }
  device.close();
  // The character that is chosen by keyboard, and where the first head looks most from there.
  await page.focus("#place");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await says(page, "#place-value", /, 3 of 32$/);
  const first = written.shares.subarray(2 * T, 2 * T + 3);
  expect(await textOf(page, "#attention .most.num")).toContain(`${Math.round(100 * Math.max(...first))} %`);

  // What cannot be learnt is told, and what there was stays.
  await page.click("#paste-text");
  await page.type("#pasted", "Too short.");
  await page.click('#paste button[value="learn"]');
  await says(page, "#notice-text", /has 10 characters; at least 640 are needed/);
  expect(await textOf(page, "#figure-held")).toBe(bits.toFixed(2));
  expect(await axeFaults(page)).toEqual([]);
  await page.setViewport({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(faults).toEqual([]);
});

/** An engine, what it tells, and the end of its training. */
function listened() {
  const engine = new TextEngine();
  const told: { made: TextMade[]; written: Written[] } = { made: [], written: [] };
  let finished = () => {};
  engine.listen((message: Message) => {
    if (message.kind === "failed") throw new Error(message.message);
    if (message.kind === "made") told.made.push(message.made);
    if (message.kind === "written") told.written.push(message.written);
    if (message.kind === "state" && message.state === "finished") finished();
  });
  const end = () =>
    new Promise<void>((resolve) => {
      finished = resolve;
    });
  return { engine, told, end };
}

test("adapters alone learn a second text, and a network that was saved writes on elsewhere as before", async () => {
  const { engine, told, end } = listened();
  const options = { size: "small", steps: 12, backend: "cpu" } as const;
  let done = end();
  await engine.make({ name: "first", text: TEXT }, options, true);
  await done;
  const before = readSafetensors(await engine.save());
  done = end();
  const wanted = `${proverbs.slice(6000, 9000)}ü`;
  await engine.tune({ name: "second", text: wanted }, 8);
  await done;
  const file = await engine.save();
  const after = readSafetensors(file);
  const made = told.made.at(-1);
  const unknown = [...wanted].filter((character) => !TEXT.includes(character)).length;
  expect(unknown).toBeGreaterThan(0);
  expect([made?.name, made?.characters, made?.leftOut, made?.adapters]).toEqual([
    ...["second", 3001 - unknown, unknown, true],
  ]);
  expect(Object.keys(after).filter(isAdapter)).toHaveLength(8);
  // The same weights; in the file a dense layer's are PyTorch's [units, inputs], those beside adapters are not.
  for (const [name, { values }] of Object.entries(before)) {
    expect([name, after[name]?.values.toSorted()]).toEqual([name, values.toSorted()]);
  }
  expect(after["3.body.1.up"]?.values.some((value) => value !== 0)).toBe(true);
  await expect(engine.tune({ name: "other", text: "ж".repeat(2000) }, 8)).rejects.toThrow(/does not know 100 %/);

  const other = listened();
  await other.engine.write(WISH);
  await other.engine.load(file, options);
  const said = other.told.written.at(-1);
  expect([said?.prompt, said?.text.length, said?.seen.length]).toEqual(["The ", 240, sizes.length]);
  expect(await other.engine.save()).toEqual(file);
  await expect(other.engine.load(Uint8Array.from(Buffer.from("no network")), options)).rejects.toThrow(/safetensors/);
});

test("a temperature of 0 takes the likeliest, 1 by the probabilities; what is no alphabet is refused", () => {
  const logits = Float32Array.of(0, Math.log(3), Math.log(6));
  expect([0, 0.5, 0.99].map((draw) => drawn(logits, 0, draw))).toEqual([2, 2, 2]);
  expect([0.05, 0.15, 0.35, 0.45, 0.99].map((draw) => drawn(logits, 1, draw))).toEqual([0, 1, 1, 2, 2]);
  const signs = Array.from({ length: 600 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
  expect(() => alphabetIn(signs)).toThrow("600 different characters; at most 512");
});
