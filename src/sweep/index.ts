export type { SweepProgress, SweepStore } from "./conduct";
export type { Json, JsonObject } from "./json";
export type { Named } from "./named";
export { type By, type Figures, resultsCsv, type SweepResults, type TrialResult } from "./results";
export type { Choice, Point, Space } from "./space";
export type { Strategy } from "./strategy";
export { type SweepDescription, type SweepOptions, sweep } from "./sweep";
export { checkTrial, type Trial, type TrialDescription, type TrialTemplate } from "./trial";
export { type Checkpoints, type Outcome, type SweepData, trainWork, type Work, type WorkOptions } from "./work";
