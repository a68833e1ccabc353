// The layout's import order: a file imports from its own row and the rows below, never from one above.

/** Highest first. A row's files may import one another. */
const rows = [
  { name: "cli", path: "^src/cli/" },
  { name: "playground", path: "^src/playground/" },
  { name: "sweep", path: "^src/sweep/" },
  { name: "entries above nn", path: "^src/files/(onnx|pytorch)\\.ts$" },
  { name: "onnx, pytorch", path: "^src/(onnx|pytorch)/" },
  { name: "index", path: "^src/index\\.ts$" },
  { name: "nn", path: "^src/nn/" },
  { name: "data", path: "^src/data/" },
  { name: "files", path: "^src/files/(?!(onnx|pytorch)\\.ts$)" },
  { name: "device", path: "^src/(device|fallback|faster)\\.ts$" },
  { name: "webgpu", path: "^src/webgpu/(?!codegen/)" },
  { name: "wasm", path: "^src/wasm/" },
  { name: "session", path: "^src/(session|runner|reference-runner)\\.ts$" },
  { name: "codegen", path: "^src/webgpu/codegen/" },
  { name: "plan", path: "^src/plan/" },
  { name: "cpu", path: "^src/cpu/" },
  { name: "kernels", path: "^src/kernels/" },
  { name: "graph", path: "^src/graph/" },
  { name: "util", path: "^src/util/" },
];
const anyRow = rows.map((row) => row.path).join("|");
/** Entry points of their own, which may bring a library: `wgrad/files/csv` and so on. */
const fileEntries = "^src/files/(csv|idx|npy|npz|onnx|pytorch|tuning)";
/** Trials over many machines: an entry of its own too. */
const sweeps = "^src/sweep/";
const tested = "^(src|shaders|test|bench)/";

export default {
  forbidden: [
    ...rows.slice(1).map((row, index) => ({
      name: `${row.name}-imports-down`,
      comment: `src/${row.name} stands below ${rows[index]?.name}; imports go down the list only.`,
      severity: "error",
      from: { path: row.path },
      to: {
        path: rows
          .slice(0, index + 1)
          .map((above) => above.path)
          .join("|"),
      },
    })),
    {
      name: "playground-uses-the-public-surface",
      comment: "The page is a user of the library: what it needs is exported from src/index.ts or an entry of files.",
      severity: "error",
      from: { path: "^src/playground/" },
      to: { path: "^(src|shaders)/", pathNot: `^src/(playground/|index\\.ts$)|${fileEntries}\\.ts$` },
    },
    {
      name: "every-file-has-a-row",
      comment: "A new folder of src/ needs its place in the order, in .dependency-cruiser.mjs.",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: anyRow },
    },
    {
      name: "src-stands-alone",
      comment: "The library imports nothing of the tests, benchmarks or scripts.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|scripts)/" },
    },
    {
      name: "no-run-time-dependency",
      comment: "The core that a page downloads has none, save the random generator that src/data carries.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(playground|cli)/|${sweeps}|${fileEntries}` },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-peer", "npm-optional", "npm-no-pkg", "core"],
        pathNot: "pure-rand",
      },
    },
    {
      name: "files-entries-apart",
      comment: "What the core imports, every page downloads: these come by their own entry points.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(playground|cli|onnx)/|${fileEntries}` },
      to: { path: fileEntries },
    },
    {
      name: "pure-rand-in-data-only",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/data/" },
      to: { path: "pure-rand" },
    },
    { name: "no-cycles", severity: "error", from: { path: tested }, to: { circular: true } },
    { name: "resolvable", severity: "error", from: { path: tested }, to: { couldNotResolve: true } },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "default"],
    },
  },
};
