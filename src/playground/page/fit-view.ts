import type { Look, Made } from "../training/messages";
import { css, palette } from "./colors";
import { short } from "./curves";
import { sharpen } from "./dom";

const MOST_POINTS = 600;
const [LEFT, BOTTOM, TOP] = [40, 30, 8];

/** Of numbers: what the network says over what is true, a point a row; on the line both are the same. */
export class FitView {
  private made: Made | null = null;
  private look: Look | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  begin(made: Made): void {
    this.made = made;
    this.look = null;
    this.draw();
  }

  show(look: Look): void {
    this.look = look;
    this.draw();
  }

  draw(): void {
    const { made, look, canvas } = this;
    if (!made?.target || canvas.clientWidth === 0) return;
    const { width, height, pen } = sharpen(canvas);
    pen.clearRect(0, 0, width, height);
    const { mean, deviation, name } = made.target;
    const parts = [
      { truth: made.training.y, said: look?.predicted?.training, held: false },
      { truth: made.heldBack.y, said: look?.predicted?.heldBack, held: true },
    ];
    let [least, most] = [Infinity, -Infinity];
    for (const { truth } of parts) {
      for (const value of truth) [least, most] = [Math.min(least, value), Math.max(most, value)];
    }
    const margin = (most - least) * 0.08 || 1;
    [least, most] = [least - margin, most + margin];
    const [w, h] = [width - LEFT, height - BOTTOM - TOP];
    const across = (value: number) => LEFT + ((value - least) / (most - least)) * w;
    const up = (value: number) => TOP + h - ((value - least) / (most - least)) * h;

    pen.strokeStyle = palette().line;
    pen.lineWidth = 1;
    pen.strokeRect(LEFT + 0.5, TOP + 0.5, w - 1, h - 1);
    pen.strokeStyle = palette().faint;
    pen.beginPath();
    pen.moveTo(across(least), up(least));
    pen.lineTo(across(most), up(most));
    pen.stroke();

    const [surface, ink] = [css(palette().surface), css(palette().ink)];
    for (const { truth, said, held } of parts) {
      for (let row = 0; row < Math.min(said?.length ?? 0, MOST_POINTS); row++) {
        // What lies beyond the frame is drawn at its edge.
        const value = Math.min(most, Math.max(least, said?.[row] as number));
        pen.beginPath();
        pen.arc(across(truth[row] as number), up(value), 2.6, 0, 2 * Math.PI);
        pen.fillStyle = held ? surface : ink;
        pen.strokeStyle = held ? ink : surface;
        pen.lineWidth = held ? 1.4 : 0.7;
        pen.fill();
        pen.stroke();
      }
    }
    const label = (value: number) => short(Number((value * deviation + mean).toPrecision(3)));
    pen.fillStyle = palette().faint;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "alphabetic";
    for (const [value, align] of [
      [least + margin, "left"],
      [most - margin, "right"],
    ] as const) {
      pen.textAlign = align;
      pen.fillText(label(value), across(value), height - BOTTOM + 13);
      pen.textAlign = "right";
      pen.fillText(label(value), LEFT - 5, up(value) + 4);
    }
    pen.textAlign = "center";
    pen.fillText(`${name}, true`, LEFT + w / 2, height - 4);
    pen.save();
    pen.translate(10, TOP + h / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText("said", 0, 0);
    pen.restore();
  }
}
