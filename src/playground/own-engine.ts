import { startEngine } from "./training/start";

/** The one that the playground trains with, from the first moment on. */
export const engine = startEngine();
