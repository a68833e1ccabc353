import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Now, Presence } from "../../src/playground/page/presence";

const tab = Object.assign(new EventTarget(), { hidden: false, title: "a page" });
const now: Now = { step: 1000, training: true, stepsPerSecond: 100, said: "step 1,000" };
const said: string[] = [];
let presence: Presence;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout"] });
  vi.stubGlobal("document", tab);
  said.length = 0;
  presence = new Presence(
    () => ({ ...now }),
    (message) => said.push(message),
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function turn(hidden: boolean): void {
  tab.hidden = hidden;
  tab.dispatchEvent(new Event("visibilitychange"));
}

test("a tab that was held while it was hidden says so, and one that went on says nothing", () => {
  turn(true);
  expect(tab.title).toBe("step 1,000");
  vi.advanceTimersByTime(20_000);
  now.step = 1040; // of 2,000
  turn(false);
  expect(tab.title).toBe("a page");
  now.step = 1090; // 50 of them since it is back
  vi.advanceTimersByTime(1000);
  expect(said).toEqual([
    "While this tab was hidden the browser held it: about 40 steps in 20 s. It goes on from step 1,090.",
  ]);

  turn(true);
  vi.advanceTimersByTime(20_000);
  now.step = 3000;
  Object.assign(now, { training: false, said: "step 3,000" });
  presence.look();
  expect(tab.title).toBe("Stands: step 3,000");
  turn(false);
  vi.advanceTimersByTime(1000);
  expect(said).toHaveLength(1);
});
