import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { publint } from "publint";
import { build, type InlineConfig, preview } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChrome } from "../../scripts/chrome.mjs";
import { printed } from "../documents/programs";
import { fleet } from "./fleet";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "wgrad-consumer-"));

const program = `
import {
  type Device, dense, FormatError, grad, input, open, parameter, type Program, sequential, sgd, ShapeError, squaredError, trainer,
} from "wgrad";
import { readCsv } from "wgrad/files/csv";
import { readMnist } from "wgrad/files/idx";
import { readNpy, readNpz, writeNpy, writeNpz } from "wgrad/files/npy";
import { readOnnx, writeOnnx } from "wgrad/files/onnx";
import { writePyTorch } from "wgrad/files/pytorch";

const x = input([4, 1]);
const y = input([4, 1]);
const w = parameter([1, 1]);
const loss = x.matmul(w).sub(y).square().mean();
const [gradient] = grad(loss, [w]);
if (!gradient) throw new Error("no gradient");
const program: Program = {
  inputs: { x, y }, parameters: { w }, outputs: { loss }, updates: { w: w.sub(gradient.mul(0.05)) },
};
const device: Device = await open({ backend: "cpu" });
const session = await device.compile(program);
session.write({ w: [0] });
await session.run({ x: [1, 2, 3, 4], y: [2, 4, 6, 8] }, { steps: 50 });
const [trained] = await session.read("w");
let refused = false;
try { x.matmul(y); } catch (error) { refused = error instanceof ShapeError; }
const table = readCsv("a,kind\\n1,x\\n2,y", { label: "kind" });
const array = readNpz(writeNpz({ a: { shape: [2], values: readNpy(writeNpy({ shape: [2], values: table.x })).values } })).a;
const layer = { name: "dense", units: 1, bias: false } as const;
const onnx = writeOnnx({ inputs: 1, layers: [layer] }, { "0.weight": [trained ?? 0] });
// What an entry of files makes, the core trains.
const read = sequential(1, [readOnnx(onnx), dense(1)]);
const net = await trainer(device, read, { loss: squaredError(), optimizer: sgd({ lr: 0.1 }), frozen: ["0"] });
await net.fit({ x: [1, 2, 3, 4], y: [2, 4, 6, 8] }, { steps: 3 });
const [kept] = (await net.weights())["0.0.weight"] ?? [];
const ours = await trainer(device, sequential(1, [dense(1)]), { loss: squaredError(), optimizer: sgd({ lr: 0.1 }) });
const { "train.py": script } = await writePyTorch(ours, { x: [1, 2], y: [2, 4] }, { steps: 3 });
// Each by the class that the core exports.
const files = [() => readCsv("a\\nx"), () => readNpy(new Uint8Array(4)), () => readMnist(new Uint8Array(4), new Uint8Array(4))];
let refusals = 0;
for (const read of files) {
  try { await read(); } catch (error) { if (error instanceof FormatError) refusals++; }
}
console.log(JSON.stringify({ backend: device.backend, trained, refused, array: [...array?.values ?? []], onnx: kept === trained, refusals, script: script.length > 5000 }));
`;

/** What is written goes into a Blob as it is, to be downloaded or stored: its memory is no other thread's. */
const blobs = `
import { adam, dense, open, sequential, squaredError, trainer, writeSafetensors } from "wgrad";
import { writeNpy, writeNpz } from "wgrad/files/npy";
import { writeOnnx } from "wgrad/files/onnx";

const device = await open({ backend: "cpu" });
const layers = [dense(1)];
const model = sequential(1, layers);
const net = await trainer(device, model, { loss: squaredError(), optimizer: adam() });
const one = { shape: [1], values: [1] };
const files = [
  await net.save(), await net.checkpoint(), writeSafetensors({ one }), writeNpy(one), writeNpz({ one }),
  writeOnnx(model, await net.weights()),
].map((file) => new Blob([file]));
console.log(files.every(({ size }) => size > 0));
`;

/** The programs of README and guides, as they are printed. */
const documented = Object.fromEntries(printed.map(({ name, code }) => [`${name.replace(" ", "-")}.ts`, code]));
const sources = ["program.ts", "blobs.ts", ...Object.keys(documented)];

/** Runs npm as this test's own npm does, without the network. */
function npm(args: string[], cwd: string): string {
  const own = process.env.npm_execpath;
  const [command, before] = own?.endsWith("js") ? [process.execPath, [own]] : ["npm", []];
  return execFileSync(command, [...before, ...args, "--offline", "--no-audit", "--no-fund"], {
    cwd,
    encoding: "utf8",
    stdio: "pipe",
  });
}

/** What the compiler says: nothing, where all is well. */
function compile(typescript: string, module: string, moduleResolution: string, skipLibCheck: boolean): string {
  const tsc = join(root, "node_modules", typescript, "bin/tsc");
  const options = { strict: true, target: "ES2022", module, moduleResolution, skipLibCheck, types: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: sources }));
  return spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" }).stdout;
}

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, unknown>;
};
let tarball = "";
beforeAll(() => {
  npm(["pack", "--silent", "--pack-destination", folder], root);
  tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  if (!tarball) throw new Error("npm pack left no tarball");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  for (const [name, text] of Object.entries({ "program.ts": program, "blobs.ts": blobs, ...documented }))
    writeFileSync(join(folder, name), text);
  npm(["install", `./${tarball}`], folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the packed library brings its module, its declarations, its licence and no dependency", () => {
  const installed = join(folder, "node_modules", "wgrad");
  expect(readdirSync(installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  expect(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["wgrad"]);
  expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).dependencies).toBeUndefined();
});

test("publint finds nothing in it", async () => {
  const { messages } = await publint({ pkgDir: join(folder, "node_modules", "wgrad"), pack: false });
  expect(messages).toEqual([]);
});

test("whoever imports it finds the types of each entry point, says attw", async () => {
  const checked = await checkPackage(createPackageFromTarballData(readFileSync(join(folder, tarball))));
  if (!checked.types) throw new Error("attw finds no types");
  expect(Object.keys(checked.entrypoints).sort()).toEqual(Object.keys(exports).sort());
  // Resolution as before Node 12 knows no entry points, and a CommonJS module requires one of ES: Node does since 20.19.
  const known = (problem: Problem) =>
    ("resolutionKind" in problem && problem.resolutionKind === "node10") || problem.kind === "CJSResolvesToESM";
  expect(checked.problems.filter((problem) => !known(problem))).toEqual([]);
});

test.each([
  // 5.9 is the last whose DOM knows no WebGPU, 6 the last that is written in JavaScript.
  ["typescript-5.9", "NodeNext", "NodeNext", false],
  ["typescript-5.9", "ESNext", "Bundler", true],
  ["typescript-6", "NodeNext", "NodeNext", false],
  ["typescript-6", "ESNext", "Bundler", true],
  ["typescript", "ESNext", "Bundler", false],
  ["typescript", "NodeNext", "NodeNext", true],
])("a consumer's %s compiles against it, module %s with %s resolution, skipLibCheck %s", (...how) => {
  expect(compile(...how)).toBe("");
});

test("what is written goes into a Blob", () => {
  expect(execFileSync(process.execPath, [join(folder, "blobs.js")], { encoding: "utf8" })).toBe("true\n");
});

test("the compiled consumer trains on the CPU in plain Node", () => {
  const printed = execFileSync(process.execPath, [join(folder, "program.js")], { encoding: "utf8" });
  const { backend, trained, refused, array, onnx, refusals, script } = JSON.parse(printed);
  expect(backend).toBe("cpu");
  expect(trained).toBeCloseTo(2, 5);
  expect(refused).toBe(true);
  expect([array, onnx, refusals, script]).toEqual([[1, 2], true, 3, true]);
});

test("so does the quickstart of README", () => {
  const printed = execFileSync(process.execPath, [join(folder, "README-1.js")], { encoding: "utf8" });
  expect(printed).toMatch(/accuracy: 0\.9\d/);
});

/** The code that the guide to bundlers prints, by its kind. */
const bundlers = readFileSync(join(root, "docs/bundlers.md"), "utf8");
const code = (kind: string) =>
  [...bundlers.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text as string);
const [viteConfig, main, worker, , required] = code("js") as [string, string, string, string, string];

test("CommonJS requires it, as the guide prints it", () => {
  writeFileSync(join(folder, "required.cjs"), required);
  expect(execFileSync(process.execPath, [join(folder, "required.cjs")], { encoding: "utf8" })).toMatch(
    /^CPU, WebAssembly, (up to \d+ threads|one thread: .+) 10 1\n$/,
  );
});

test("Deno trains with it on the CPU", () => {
  writeFileSync(join(folder, "deno.mjs"), worker.replace("postMessage", "console.log"));
  const deno = join(root, "node_modules/.bin/deno");
  const printed = execFileSync(deno, ["run", "--allow-all", "--no-remote", "deno.mjs"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(printed).toMatch(/^accuracy 0\.[89]/);
});

test("pages train with it, without a bundler and in a worker that Vite built, as the guide prints them", async () => {
  const site = join(folder, "site");
  mkdirSync(site);
  const [page] = code("html") as [string];
  const files = { "index.html": '<!doctype html><script type="module" src="./main.js"></script>', "main.js": main };
  for (const [name, text] of Object.entries({ ...files, "worker.js": worker, "vite.config.js": viteConfig }))
    writeFileSync(join(site, name), text);
  const config = (await import(pathToFileURL(join(site, "vite.config.js")).href)) as { default: InlineConfig };
  const outDir = join(folder, "built");
  await build({
    ...config.default,
    root: site,
    base: "./",
    configFile: false,
    logLevel: "warn",
    build: { outDir, emptyOutDir: true },
  });
  writeFileSync(join(folder, "plain.html"), page);
  const server = await preview({
    root: folder,
    configFile: false,
    logLevel: "warn",
    build: { outDir: "." },
    preview: { host: "127.0.0.1", port: 4293 },
  });
  const browser = await launchChrome();
  for (const [path, title] of [
    ["plain.html", /^accuracy 0\.[89]\d*, 1 row$/],
    ["built/index.html", /^accuracy 0\.[89]/],
  ] as const) {
    const tab = await browser.newPage();
    await tab.goto(new URL(path, server.resolvedUrls?.local[0]).href);
    await tab.waitForFunction(() => document.title.startsWith("accuracy"), { timeout: 60_000, polling: 50 });
    expect(await tab.title()).toMatch(title);
  }
  await browser.close();
  await server.close();
}, 180_000);

const wgrad = join(folder, "node_modules", ".bin", "wgrad");
const run = (...argv: string[]) => spawnSync(wgrad, argv, { cwd: folder, encoding: "utf8" });

test("the command line trains; Ctrl-C leaves a checkpoint, and from there come the same bytes", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `${Math.sin(i)},${i % 7},${i % 2 ? "a" : "b"}`);
  writeFileSync(join(folder, "table.csv"), ["x,y,kind", ...rows].join("\n"));
  const train = ["train", "table.csv", "--target", "kind", "--epochs", "1500", "--hidden", "4"];
  expect(run(...train, "--out", "whole")).toMatchObject({ status: 0 });

  const child = spawn(wgrad, [...train, "--out", "cut"], { cwd: folder });
  let said = "";
  child.stderr.on("data", (data) => {
    said += data;
    if (data.includes("150 of 1500 epochs")) child.kill("SIGINT");
  });
  const [code] = await once(child, "close");
  expect([code, said]).toEqual([130, expect.stringContaining("--resume cut/checkpoint.safetensors --out cut\n")]);
  expect(readdirSync(join(folder, "cut"))).toEqual(["checkpoint.safetensors"]);
  expect(run("train", "table.csv", "--resume", "cut/checkpoint.safetensors", "--out", "cut").status).toBe(0);
  for (const name of ["model.safetensors", "model.onnx", "report.html"])
    expect(readFileSync(join(folder, "cut", name)).equals(readFileSync(join(folder, "whole", name))), name).toBe(true);
  expect(run("predict", "whole/model.safetensors", "table.csv").stdout).toMatch(/^x,y,kind,predicted,p\(a\),p\(b\)\n/);
});

test("its report draws the curves without a server, under its own policy", async () => {
  const browser = await launchChrome({ defaultViewport: { width: 1000, height: 1300 } });
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("console", (message) => faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(String(pathToFileURL(join(folder, "whole", "report.html"))));
  const drawn = await page.$$eval("canvas", (canvases) =>
    canvases.map((canvas) => {
      const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return pixels.some((value) => value > 0);
    }),
  );
  expect([faults, drawn, await page.title()]).toEqual([[], [true, true], "table.csv: training report"]);
  expect(await page.$eval("td.hit", (cell) => getComputedStyle(cell).backgroundColor)).not.toBe("rgba(0, 0, 0, 0)");
  await page.evaluate(() =>
    document.body.append(Object.assign(document.createElement("script"), { text: "document.title = 'ran'" })),
  );
  expect(await page.title()).toBe("table.csv: training report");
  await browser.close();
});

test("verify says that WebGPU is not installed, and holds the CPU to float64", () => {
  const { status, stdout } = run("verify", "--quick", "--json", "verify.json");
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/the package webgpu, which is not installed here .*; the CPU alone is checked\./),
  ]);
  const { off, devices } = JSON.parse(readFileSync(join(folder, "verify.json"), "utf8"));
  expect([off, devices.length, devices[0].title]).toEqual([0, 1, "CPU"]);
  expect(devices[0].results.length).toBe(devices[0].checks);
});

test("verify in a fleet of browsers: two answer and are one table, the third is dead and named", async () => {
  // Optional, as webgpu is: connecting says so where it is not there.
  const missing = run("verify", "--quick", "--connect", "ws://127.0.0.1:9");
  expect([missing.status, missing.stdout]).toEqual([1, expect.stringMatching(/^DEAD {2}ws:.*npm install puppeteer/)]);
  symlinkSync(join(root, "node_modules", "puppeteer"), join(folder, "node_modules", "puppeteer"));
  const { browsers, addresses, dead: gone, close } = await fleet();
  try {
    const asked = [...addresses, gone].flatMap((address) => ["--connect", address]);
    // Not run(), which would keep this process from the browsers.
    const child = spawn(wgrad, ["verify", "--quick", "--json", "fleet.json", ...asked], { cwd: folder });
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
    });
    const [code] = await once(child, "close");
    expect([code, said]).toEqual([1, expect.stringContaining(`\nDEAD  ${gone}: no browser answers there (`)]);
    const [head = ""] = said.split("\n");
    for (const address of addresses) expect(head).toContain(` at ${address}`);
    const { off, devices, dead } = JSON.parse(readFileSync(join(folder, "fleet.json"), "utf8"));
    expect([off, devices.length, dead.length]).toEqual([0, 2, 1]);
    for (const { backend, results, checks } of devices) expect([backend, results.length]).toEqual(["webgpu", checks]);
    // They are somebody else's, and stay, without the pages that were opened in them.
    for (const browser of browsers) expect((await browser.pages()).length).toBe(1);
  } finally {
    await close();
  }
});
