/** The entry point `wgrad/files/pytorch`. */

export { type PyTorchFiles, type PyTorchOptions, writePyTorch } from "../pytorch/write";
