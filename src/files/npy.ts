/** NumPy's files: one array (.npy) or several by name (.npz). */
export { type NpyArray, readNpy } from "./npy-read";
export { type NpyValues, writeNpy } from "./npy-write";
export { type NpzReadOptions, type NpzWriteOptions, readNpz, writeNpz } from "./npz";
