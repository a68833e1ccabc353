// The page runs these on the visitor's own device, so they lie there.
export * from "../../src/playground/verify/numbers";
