import { wrap } from "comlink";
import { byId, h, setText } from "../page/dom";
import { GraphView, PASSES } from "./graph-view";
import type { Lesson, LessonNode, Lessons } from "./lesson";
import { LESSONS } from "./texts";
import { Zoom } from "./zoom";

const lessons = wrap<Lessons>(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
const element = (id: string) => byId(id, HTMLElement);
const form = byId("form", HTMLSelectElement);
const step = byId("at-step", HTMLInputElement);
const zoom = new Zoom(element("graph"), {
  closer: byId("closer", HTMLButtonElement),
  farther: byId("farther", HTMLButtonElement),
  whole: byId("whole", HTMLButtonElement),
});
const graph = new GraphView(element("graph"), (id) => {
  const step = order.findIndex((node) => node.id === id);
  if (step >= 0) go(step);
  else showGiven(id);
});

element("gradients-box").tabIndex = 0; // it scrolls

let lesson: Lesson | null = null;
/** What is computed, in the order of computing; leaves come first. */
let order: LessonNode[] = [];
let at = 0;
let asked = 0;

/** What the address says; the name of a program, as older links have it, is its lesson. */
function lessonId(): keyof typeof LESSONS {
  const asked = location.hash.slice(1);
  const ids = Object.keys(LESSONS) as (keyof typeof LESSONS)[];
  return ids.find((id) => id === asked || LESSONS[id].program === asked) ?? "the-famous-mistake";
}

async function load(): Promise<void> {
  const id = lessonId();
  const turn = ++asked;
  const { title, program, paragraphs } = LESSONS[id];
  element("lessons").replaceChildren(
    ...Object.entries(LESSONS).map(([each, { title }]) =>
      h("a", { href: `#${each}`, ...(each === id && { "aria-current": "true" }) }, title),
    ),
  );
  setText(element("lesson-title"), title);
  element("lesson-text").replaceChildren(...paragraphs.map((text) => h("p", {}, text)));
  element("lesson").hidden = false; // until now there was nothing to read, and nothing is to move
  setText(element("said"), "Computing every value of the step in float64…");
  try {
    const most = Number(step.max);
    const steps = Math.min(most, Math.max(0, Math.round(step.valueAsNumber || 0)));
    step.value = String(steps); // what is shown is of that many
    byId("later", HTMLButtonElement).disabled = steps === most;
    const asHand = form.value === "grad" ? "grad" : "handwritten";
    const loaded = await lessons.lesson(program, asHand, steps);
    if (turn !== asked) return; // another one was asked for meanwhile
    lesson = loaded;
    order = loaded.nodes.filter(({ pass }) => pass !== "given");
    element("worked").hidden = false;
    zoom.begin(graph.begin(loaded));
    showGradients(loaded);
    setText(element("kernels"), loaded.explained);
    element("kernels").tabIndex = 0; // it scrolls
    go(0);
  } catch (error) {
    setText(element("said"), error instanceof Error ? error.message : String(error));
  }
}

function go(to: number): void {
  if (!lesson || order.length === 0) return;
  at = Math.min(order.length - 1, Math.max(0, to));
  const now = order[at] as LessonNode;
  const given = lesson.nodes.filter(({ pass }) => pass === "given").map(({ id }) => id);
  graph.show(now.id, new Set([...given, ...order.slice(0, at + 1).map(({ id }) => id)]));
  const kernel = lesson.kernels.find(({ nodes }) => nodes.includes(now.id));
  const where = kernel
    ? `, inside kernel ${kernel.number}`
    : ", with no kernel of its own: those that need it read its numbers in place";
  setText(
    element("said"),
    `${at + 1} of ${order.length}, ${PASSES[now.pass]}${where}. Loss of this step: ${lesson.loss.toPrecision(6)}.`,
  );
  const operands = now.operands
    .map((id) => lesson?.nodes.find((node) => node.id === id))
    .filter((node) => node !== undefined);
  const parts = [now, ...operands].map((node, i) => matrix(node, i === 0));
  element("values").replaceChildren(...parts);
  byId("previous", HTMLButtonElement).disabled = at === 0;
  byId("next", HTMLButtonElement).disabled = at === order.length - 1;
}

/** A leaf is no step: it is looked at, and the steps stand where they are. */
function showGiven(id: number): void {
  const node = lesson?.nodes.find((each) => each.id === id);
  if (!node) return;
  setText(
    element("said"),
    `${node.name}: given, ${node.op === "parameter" ? "as it stands before this step" : node.op}.`,
  );
  element("values").replaceChildren(matrix(node, true));
}

function matrix({ name, op, shape, pass, values }: LessonNode, isResult: boolean): HTMLElement {
  const rows = values.map((row) => h("tr", {}, ...row.map((value) => h("td", { class: "right" }, number(value)))));
  const all = shape.reduce((size, length) => size * length, 1);
  const shown = values.reduce((sum, row) => sum + row.length, 0);
  const more = all > shown ? [h("p", { class: "sub" }, `${shown} of ${all.toLocaleString("en")} numbers`)] : [];
  const head = isResult && pass !== "given" ? (name === op ? op : `${name} = ${op}`) : name;
  return h(
    "div",
    { class: isResult ? "matrix result" : "matrix" },
    h("h3", {}, `${isResult ? "" : "of "}${head} `, h("span", { class: "sub" }, `[${shape.join(", ")}]`)),
    h("table", {}, h("tbody", {}, ...rows)),
    ...more,
  );
}

function number(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : value.toPrecision(4);
}

function showGradients({ gradients }: Lesson): void {
  element("gradients").replaceChildren(
    ...gradients.map(({ name, difference, largest }) => {
      const right = difference <= 1e-9 * Math.max(1, largest);
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        h("td", { class: "right" }, number(largest)),
        h("td", { class: "right" }, right ? "0" : number(difference)),
        h(
          "td",
          { class: right ? "good" : "bad" },
          right ? "the derivative of the loss" : "not the derivative of the loss",
        ),
      );
    }),
  );
}

byId("previous", HTMLButtonElement).addEventListener("click", () => go(at - 1));
byId("next", HTMLButtonElement).addEventListener("click", () => go(at + 1));
byId("first", HTMLButtonElement).addEventListener("click", () => go(0));
byId("later", HTMLButtonElement).addEventListener("click", () => {
  step.value = String(Math.round(step.valueAsNumber || 0) + 1);
  void load();
});
document.addEventListener("keydown", (event) => {
  if (event.target instanceof Element && event.target.closest("input, select, pre")) return; // arrows are theirs
  if (event.key === "ArrowRight") go(at + 1);
  else if (event.key === "ArrowLeft") go(at - 1);
});
form.addEventListener("change", () => void load());
step.addEventListener("change", () => void load());
window.addEventListener("hashchange", () => {
  step.value = "0";
  void load();
});
void load();
