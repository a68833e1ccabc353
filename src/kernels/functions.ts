import source from "../../shaders/functions.wgsl?raw";

/** By name, callers before what they call. */
const FUNCTIONS = source.split(/^(?=fn )/m).flatMap((text) => {
  const name = /^fn (\w+)/.exec(text)?.[1];
  return name === undefined ? [] : [{ call: `${name}(`, text }];
});

/** A kernel's text with the functions of shaders/functions.wgsl that it calls. */
export function withFunctions(kernel: string): string {
  return FUNCTIONS.reduce((text, { call, text: declared }) => (text.includes(call) ? text + declared : text), kernel);
}
