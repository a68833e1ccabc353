import { type Config, DATA, type DataName, fromQuery, LIMITS, preset, within } from "../config";
import type { Rows } from "../training/data-set";
import { classColor, css } from "./colors";
import { byId, context, h, setText } from "./dom";

const NAMES: Record<DataName, string> = {
  moons: "moons",
  circles: "circles",
  spirals: "spirals",
  xor: "XOR",
  blobs: "blobs",
  iris: "iris",
  digits: "digits",
  csv: "CSV…",
};
const NUMBERS = ["momentum", "l2", "batch", "seed", "steps"] as const;
const CHOICES = ["schedule", "optimizer", "loss", "backend"] as const;

/** The fields of the page; `changed` gets the configuration that a person has just made. */
export class Settings {
  private config: Config = preset("moons");
  private numbers = false;
  private pictures: Partial<Record<DataName, Rows>> = {};
  private readonly rate = byId("rate", HTMLInputElement);
  private readonly slider = byId("rate-slider", HTMLInputElement);

  constructor(
    private readonly changed: (config: Config) => void,
    /** Asks for a table; the set is chosen when there is one. */
    askTable: () => void,
  ) {
    this.sets(askTable);
    this.slider.addEventListener("input", () => this.change({ rate: rounded(10 ** this.slider.valueAsNumber) }));
    this.rate.addEventListener("change", () => {
      this.change({ rate: within("rate", this.rate.valueAsNumber, this.config.rate) });
    });
    for (const name of NUMBERS) {
      const field = byId(name, HTMLInputElement);
      field.addEventListener("change", () =>
        this.change({ [name]: within(name, field.valueAsNumber, this.config[name]) }),
      );
    }
    for (const name of ["noise", "rows"] as const) {
      const field = byId(name, HTMLInputElement);
      field.addEventListener("input", () => setText(byId(`${name}-value`, HTMLOutputElement), field.value));
      field.addEventListener("change", () => this.change({ [name]: field.valueAsNumber }));
    }
    const held = byId("held", HTMLInputElement);
    held.addEventListener("input", () => setText(byId("held-value", HTMLOutputElement), `${held.value} %`));
    held.addEventListener("change", () => {
      this.change({ held: within("held", held.valueAsNumber / 100, this.config.held) });
    });
    for (const name of CHOICES) {
      const field = byId(name, HTMLSelectElement);
      // Read as the address is, so that only what is known comes through.
      field.addEventListener("change", () => {
        this.change({ [name]: fromQuery(`${name}=${field.value}`)[name] });
      });
    }
  }

  show(config: Config): void {
    this.config = config;
    for (const name of NUMBERS) setValue(byId(name, HTMLInputElement), config[name]);
    for (const name of CHOICES) byId(name, HTMLSelectElement).value = config[name];
    setValue(this.rate, config.rate);
    setValue(this.slider, Math.log10(config.rate));
    for (const name of ["noise", "rows"] as const) {
      const field = byId(name, HTMLInputElement);
      field.value = String(config[name]);
      setText(byId(`${name}-value`, HTMLOutputElement), String(config[name]));
    }
    const held = Math.round(100 * config.held);
    byId("held", HTMLInputElement).value = String(held);
    setText(byId("held-value", HTMLOutputElement), `${held} %`);
    byId("held-field", HTMLDivElement).hidden = config.data === "digits"; // theirs are chosen already
    const isDrawn = !["iris", "digits", "csv"].includes(config.data);
    byId("data-fields", HTMLDivElement).hidden = !isDrawn;
    byId("forget", HTMLButtonElement).hidden = config.data !== "csv";
    const momentum = byId("momentum", HTMLInputElement);
    momentum.disabled = config.optimizer === "adam";
    momentum.title = momentum.disabled ? "Adam has its own, 0.9" : "";
    const loss = byId("loss", HTMLSelectElement);
    loss.disabled = this.numbers;
    loss.title = this.numbers ? "Numbers are learned by their squared error" : "";
    if (this.numbers) loss.value = "squaredError";
    const chosen = document.querySelector<HTMLInputElement>(`#sets input[value="${config.data}"]`);
    if (chosen) chosen.checked = true;
  }

  /** Where numbers are learned, there is one loss for them. */
  learnsNumbers(numbers: boolean): void {
    this.numbers = numbers;
    this.show(this.config);
  }

  /** Draws the small pictures of the sets, in the colours of the page; those of before where none are given. */
  thumbnails(pictures = this.pictures): void {
    this.pictures = pictures;
    for (const [name, points] of Object.entries(pictures)) {
      const canvas = document.querySelector<HTMLCanvasElement>(`#sets canvas[data-set="${name}"]`);
      if (!canvas) continue;
      const pen = context(canvas);
      const { width, height } = canvas;
      pen.clearRect(0, 0, width, height);
      let largest = 0;
      for (const value of points.x) largest = Math.max(largest, Math.abs(value));
      points.y.forEach((k, row) => {
        const [x, y] = [points.x[2 * row] as number, points.x[2 * row + 1] as number];
        pen.fillStyle = css(classColor(k));
        pen.beginPath();
        pen.arc(
          width / 2 + (x / largest) * width * 0.42,
          height / 2 - (y / largest) * height * 0.42,
          4,
          0,
          2 * Math.PI,
        );
        pen.fill();
      });
    }
  }

  private sets(askTable: () => void): void {
    const box = byId("sets", HTMLFieldSetElement);
    for (const name of DATA) {
      const radio = h("input", { type: "radio", name: "data", value: name });
      radio.addEventListener("change", () => {
        if (name === "csv") {
          this.show(this.config); // until there is a table
          askTable();
        } else this.changed({ ...preset(name), backend: this.config.backend, seed: this.config.seed });
      });
      if (name === "csv") radio.addEventListener("click", () => this.config.data === "csv" && askTable());
      const picture =
        name === "csv" || name === "digits"
          ? h("span", { class: "thumb", "aria-hidden": "true" }, name === "csv" ? "+" : "7")
          : h("canvas", { width: 112, height: 112, "data-set": name, "aria-hidden": "true" });
      box.append(h("label", {}, radio, picture, h("span", {}, NAMES[name])));
    }
  }

  private change(part: Partial<Config>): void {
    this.config = { ...this.config, ...part };
    this.show(this.config);
    this.changed(this.config);
  }
}

/** Leaves a field alone that a person is typing in and whose number is right already. */
function setValue(field: HTMLInputElement, value: number): void {
  if (field.valueAsNumber !== value) field.value = String(value);
}

function rounded(rate: number): number {
  return Math.min(LIMITS.rate[1], Number(rate.toPrecision(2)));
}
