import source from "../../shaders/functions.wgsl?raw";

/** Each by its name, in their order. */
function functionsOf(text: string): { call: string; text: string }[] {
  return text.split(/^(?=fn )/m).flatMap((text) => {
    const name = /^fn (\w+)/.exec(text)?.[1];
    return name === undefined ? [] : [{ call: `${name}(`, text }];
  });
}

/** Callers before what they call. */
const functions = functionsOf(source);

/** Makes functions known that few programs need, and whose text is a chunk of its own. They may call those that all know. */
export function addFunctions(text: string): void {
  const added = functionsOf(text).filter(({ call }) => !functions.some((known) => known.call === call));
  functions.unshift(...added);
}

/** A kernel's text with the functions of shaders/functions.wgsl, and those that were added, that it calls. */
export function withFunctions(kernel: string): string {
  return functions.reduce((text, { call, text: declared }) => (text.includes(call) ? text + declared : text), kernel);
}
