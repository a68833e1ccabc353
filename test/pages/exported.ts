import { join } from "node:path";
import typescript from "typescript-6";
import { entryPoints } from "../../scripts/docs/reference.mjs";
import { root } from "../documents/programs";

/** One name that an entry point exports. */
export interface Exported {
  /** "wgrad/files/csv". */
  readonly from: string;
  readonly name: string;
  /** Its docstring, without what marks it; empty where it has none. */
  readonly docstring: string;
}

/** All that the package exports, as its users' editors see it: the compiler follows every name to its declaration. */
export function exported(): Exported[] {
  const { getParsedCommandLineOfConfigFile, sys, createProgram, displayPartsToString } = typescript;
  const host = { ...sys, onUnRecoverableConfigFileDiagnostic: () => {} };
  const config = getParsedCommandLineOfConfigFile(join(root, "tsconfig.lib.json"), {}, host);
  const entries = entryPoints(root);
  const program = createProgram(
    [...entries.values()].map((path) => join(root, path)),
    { ...config?.options, noEmit: true, types: [] },
  );
  const checker = program.getTypeChecker();
  return [...entries].flatMap(([from, path]) => {
    const source = program.getSourceFile(join(root, path));
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`internal: ${path} exports nothing`);
    return checker.getExportsOfModule(module).map((symbol) => {
      const own = symbol.flags & typescript.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return { from, name: symbol.name, docstring: displayPartsToString(own.getDocumentationComment(checker)) };
    });
  });
}
