import "@tensorflow/tfjs-backend-cpu";
import { report } from "./data";
import { firstStep } from "./tfjs-step";

report(firstStep);
