/** What only some programs need: a chunk of its own, so that a page whose networks are dense does not download it. */
export { stepsOf } from "../plan/nest-steps";
export { pow, sin } from "./long-functions";
export { stepLoop } from "./scan";
export { emitScatter } from "./scatter";
export { viewedOf } from "./viewed";
