import { expose } from "comlink";
import { ManyEngine } from "./engine";

expose(new ManyEngine());
