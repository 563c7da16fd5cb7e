/**
 * The names that an entry point has for TypeScript: in the sources, and in the declarations of a package.
 *
 * @module
 */

import ts from "typescript";

/**
 * What modules export.
 *
 * @param {readonly string[]} paths their files
 * @returns {{ values: string[], types: string[] }[]} for each of them; what is both, as a class is, is a value
 */
export function exportedNames(paths) {
  const compiler = ts.createProgram([...paths], {
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    target: ts.ScriptTarget.ES2022,
    allowImportingTsExtensions: true,
    noEmit: true,
    noLib: true,
    types: [],
  });
  const checker = compiler.getTypeChecker();
  return paths.map((path) => {
    const source = compiler.getSourceFile(path);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${path} is no module`);
    /** @type {{ values: string[], types: string[] }} */
    const names = { values: [], types: [] };
    for (const symbol of checker.getExportsOfModule(module)) {
      const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      (flags & ts.SymbolFlags.Value ? names.values : names.types).push(symbol.name);
    }
    return { values: names.values.sort(), types: names.types.sort() };
  });
}
