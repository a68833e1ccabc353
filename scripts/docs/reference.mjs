// The reference of all that the package exports, as Markdown, from the docstrings: typedoc with its plugin for Markdown.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { register } from "node:module";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";

/** @typedef {import("typedoc").DeclarationReflection} Reflection */

/**
 * @typedef {object} Reference
 * @property {Map<string, string>} pages Markdown by path, "wgrad/functions/adam.md"
 * @property {Map<string, string>} names the page of each exported name that only one entry point has
 */

/**
 * The entry points by the name that they are imported by: `exports` of package.json, and where the source of each is.
 * @param {string} root
 * @returns {Map<string, string>}
 */
export function entryPoints(root) {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const paths = /** @type {Record<string, { types: string }>} */ (exports);
  return new Map(
    Object.entries(paths).map(([path, { types }]) => [
      path.replace(/^\./, name),
      types.replace(/^\.\/dist\//, "src/").replace(/\.d\.ts$/, ".ts"),
    ]),
  );
}

/**
 * Throws where an exported name has no docstring.
 * @param {string} root
 * @returns {Promise<Reference>}
 */
export async function reference(root) {
  // typedoc asks for a `typescript` with the compiler's interface in it, which version 7 has not.
  const resolve = `export const resolve = (name, context, next) => next(name === "typescript" ? "typescript-6" : name, context);`;
  register(`data:text/javascript,${encodeURIComponent(resolve)}`, import.meta.url);
  const { Application } = await import("typedoc");
  const entries = entryPoints(root);
  const folder = mkdtempSync(join(tmpdir(), "wgrad-reference-"));
  try {
    /** @type {import("typedoc").TypeDocOptions & Record<string, unknown>} */
    const options = {
      plugin: ["typedoc-plugin-markdown"],
      entryPoints: [...entries.values()].map((path) => join(root, path)),
      basePath: root,
      tsconfig: join(root, "tsconfig.lib.json"),
      skipErrorChecking: true, // `npm run lint` has done it
      excludeInternal: true,
      excludePrivate: true,
      excludeProtected: true,
      readme: "none",
      disableGit: true,
      disableSources: true,
      logLevel: "Error",
      groupOrder: ["Functions", "Classes", "Variables", "Interfaces", "Type Aliases"],
      indexFormat: "table",
      hidePageHeader: true,
      hideBreadcrumbs: true,
      useCodeBlocks: true,
      parametersFormat: "table",
      outputs: [{ name: "markdown", path: folder }],
    };
    const app = await Application.bootstrapWithPlugins(/** @type {import("typedoc").TypeDocOptions} */ (options));
    const project = await app.convert();
    if (!project) throw new Error("typedoc could not read the entry points (above)");
    const modules = project.children ?? [];
    const nameOf = new Map([...entries].map(([name, path]) => [path.replace(/(?:\/index)?\.ts$/, ""), name]));
    for (const module of modules) module.name = nameOf.get(module.name) ?? module.name;
    const bare = modules.flatMap((module) =>
      (module.children ?? []).filter((each) => !documented(each)).map(({ name }) => `${module.name}: ${name}`),
    );
    if (bare.length > 0) throw new Error(`exported without a docstring:\n  ${bare.join("\n  ")}`);
    await app.generateOutputs(project);
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
    const pages = new Map(
      files.map((name) => [
        relative(folder, join(folder, name)).split(sep).join("/"),
        readFileSync(join(folder, name), "utf8"),
      ]),
    );
    return { pages, names: pagesByName(pages) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {Reflection} each
 * @returns {boolean}
 */
function documented(each) {
  const { signatures = [] } = each;
  return each.hasComment() || (signatures.length > 0 && signatures.some((one) => one.hasComment()));
}

/**
 * @param {Map<string, string>} pages
 * @returns {Map<string, string>}
 */
function pagesByName(pages) {
  /** @type {Map<string, string[]>} */
  const all = new Map();
  for (const path of pages.keys()) {
    const name = /\/([A-Za-z]\w*)\.md$/.exec(path)?.[1];
    if (name && name !== "README") all.set(name, [...(all.get(name) ?? []), path]);
  }
  return new Map([...all].flatMap(([name, paths]) => (paths.length === 1 ? [[name, paths[0] ?? ""]] : [])));
}
