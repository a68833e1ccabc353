import "@tensorflow/tfjs-backend-webgpu";
import { report } from "./data";
import { firstStep } from "./tfjs-step";

report(firstStep);
