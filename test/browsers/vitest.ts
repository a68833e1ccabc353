// What the tests import as "vitest" where vitest itself cannot run: its own runner and matchers, without its server.

import { ASYMMETRIC_MATCHERS_OBJECT, chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect";
import { getCurrentTest } from "@vitest/runner";

export { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "@vitest/runner";

chai.config.truncateThreshold = 0; // a test's title and what it found are told in full
for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

const asymmetric = (globalThis as { [ASYMMETRIC_MATCHERS_OBJECT]?: object })[ASYMMETRIC_MATCHERS_OBJECT];
export const expect = Object.assign((value: unknown, message?: string) => {
  const assertion = chai.expect(value, message);
  const test = getCurrentTest();
  // A promise that was expected to reject and is not waited for is waited for at the end of its test.
  return test ? (assertion as unknown as { withTest(test: unknown): typeof assertion }).withTest(test) : assertion;
}, asymmetric);
