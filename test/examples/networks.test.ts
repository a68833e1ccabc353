import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { main as autoencoder } from "../../examples/autoencoder";
import { fewShot } from "../../examples/backbone";
import { main as cnn } from "../../examples/cnn";
import { main as forecast } from "../../examples/forecast";
import { alphabet, main as gpt, LENGTH, windows, write } from "../../examples/gpt";
import { main as lora } from "../../examples/lora";
import { exact, main as pinn } from "../../examples/pinn";
import { main as transfer } from "../../examples/transfer";
import { type Device, open, readSafetensors, type Trainer } from "../../src/index";

// What they claim in full is in networks.gpu.test.ts, where training them takes longer than here.
let device: Device;
beforeEach(async () => {
  device = await open({ backend: "cpu" });
  vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(device.memory().bytes, "bytes that an example left on the device").toBe(0);
  device.close();
});

describe("examples of networks, on the CPU", () => {
  test("cnn: over 93 % of 1,000 digits held back after one epoch", async () => {
    const { accuracy, file } = await cnn(device, 1);
    expect(accuracy).toBeGreaterThan(0.93);
    expect(readSafetensors(file)["0.weight"]?.shape).toEqual([8, 1, 5, 5]);
  });

  test("gpt: after a tenth of an epoch it knows more than how frequent each character is", async () => {
    const { bits, written } = await gpt(device, 0.1);
    expect(bits).toBeLessThan(3.6);
    expect(written).toHaveLength(400);
  });

  test("forecast: off by less than a fifth of the naive forecast's error", async () => {
    const { error, naive } = await forecast(device);
    expect(error).toBeLessThan(naive / 5);
  });

  test("pinn: within 1 % of the exact solution", async () => {
    const { error, losses } = await pinn(device);
    expect(error).toBeLessThan(0.01);
    expect(losses).toHaveLength(2000);
  });

  test("autoencoder: after three epochs an error of less than a third of the mean digit's, and a picture of it", async () => {
    const { error, mean, picture } = await autoencoder(device, 3);
    expect(error).toBeLessThan(mean / 3);
    const lines = picture.split("\n");
    expect(lines.map((line) => line.length)).toEqual(new Array(28).fill(140));
    expect(
      lines.slice(0, 14).some((line) => line.includes("@")),
      "the digits",
    ).toBe(true);
    expect(
      lines.slice(14).some((line) => line.includes("%")),
      "what was drawn",
    ).toBe(true);
  });

  test("lora: adapters alone bring another text nearer, and are all that their file has", async () => {
    const { before, after, loaded, adapters } = await lora(device, 0.1);
    expect(after).toBeLessThan(before - 0.05);
    expect(loaded).toBe(after);
    const tensors = Object.entries(readSafetensors(adapters));
    expect(tensors.map(([name]) => name.split(".").at(-1)).sort()).toEqual([
      "down",
      "down",
      "down",
      "down",
      "up",
      "up",
      "up",
      "up",
    ]);
    expect(tensors.reduce((sum, [, { values }]) => sum + values.length, 0)).toBe(5120);
  });

  test("transfer: over 91 % of digits 5 to 9 from 20 examples each, more than without the backbone", async () => {
    const { accuracy, alone } = await transfer(device, 2);
    expect(accuracy).toBeGreaterThan(0.91);
    expect(accuracy).toBeGreaterThan(alone);
  });

  test("backbone: on what the page of images ships, objects never seen are told apart from ten pictures each", async () => {
    const shipped = readFileSync(new URL("../../src/playground/data/backbone.safetensors", import.meta.url));
    expect(await fewShot(device, shipped)).toBeGreaterThan(0.7); // convolutions that have learnt nothing: 0.19
  });
});

describe("what the examples are made of", () => {
  test("the exact solution of Burgers' equation satisfies it, and begins as it should", () => {
    const h = 1e-3;
    for (const [x, t] of [
      [0.3, 0.2],
      [-0.7, 0.5],
      [0.05, 0.9],
    ] as const) {
      const u = exact(x, t);
      const [left, right] = [exact(x - h, t), exact(x + h, t)];
      const ut = (exact(x, t + h) - exact(x, t - h)) / (2 * h);
      expect(ut + (u * (right - left)) / (2 * h)).toBeCloseTo((0.1 * (left - 2 * u + right)) / h ** 2, 3);
    }
    expect(exact(0.3, 0)).toBeCloseTo(-Math.sin(0.3 * Math.PI), 12);
    expect(exact(1, 0.4)).toBeCloseTo(0, 12);
  });

  test("windows of a text: what is to be told is the character that follows", () => {
    const tokens = Int32Array.from({ length: LENGTH + 5 }, (_, i) => i);
    const { x, y } = windows(tokens, 2);
    expect(x).toHaveLength(3 * LENGTH);
    expect([x[0], x[LENGTH], x.at(-1)]).toEqual([0, 2, LENGTH + 3]);
    expect(y).toEqual(x.map((token) => token + 1));
  });

  test("an alphabet gives a text back, without what is not of it", () => {
    const { count, tokens, text } = alphabet("abcab");
    expect(count).toBe(3);
    expect(text(tokens("cab?ba"))).toBe("cabba");
  });

  test("at temperature 0 the likeliest is written; above it what is drawn by seed, as often as it is likely", async () => {
    const told = Float32Array.of(0.1, 0.6, 0.3);
    const net = { predict: async () => told } as unknown as Trainer;
    const start = new Int32Array(LENGTH);
    expect(new Set(await write(net, 3, start, 20, { temperature: 0 }))).toEqual(new Set([1]));
    const drawn = await write(net, 3, start, 1000, { seed: 3 });
    expect(await write(net, 3, start, 1000, { seed: 3 })).toEqual(drawn);
    const share = (token: number, of: Int32Array) => of.filter((each) => each === token).length / of.length;
    expect(Math.abs(share(1, drawn) - 0.6)).toBeLessThan(0.05);
    const sure = await write(net, 3, start, 1000, { temperature: 0.5 });
    expect(Math.abs(share(1, sure) - 0.36 / 0.46)).toBeLessThan(0.05);
  });
});
