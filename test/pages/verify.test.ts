import { expect, test } from "vitest";
import { type Checked, Suite } from "../../src/playground/verify/suite";

test("when a run of Verify ends, whoever listens has heard of every check, however long a message takes", async () => {
  const suite = new Suite();
  const { checks } = await suite.open("cpu", false);
  const told: Checked[] = [];
  await suite.run(async (checked) => {
    await new Promise((resolve) => setTimeout(resolve));
    told.push(checked);
  });
  expect(told.length).toBe(checks);
  expect(told.filter(({ ok }) => !ok)).toEqual([]);
});
