import { defineConfig } from "vitest/config";
import { chromeProvider } from "./scripts/chrome-provider.ts";

// *.gpu.test.ts runs in headless Chrome on real WebGPU; every other *.test.ts in Node. `npm test` runs both.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.gpu.test.ts"],
          environment: "node",
          sequence: { groupOrder: 0 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "gpu",
          include: ["test/**/*.gpu.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false, // one GPU, and on a machine without one the same few cores
          sequence: { groupOrder: 1 }, // for the same reason not beside the tests in Node
          browser: {
            enabled: true,
            provider: chromeProvider(),
            instances: [{ browser: "chrome" }],
            headless: true,
            screenshotFailures: false,
          },
        },
      },
    ],
  },
});
