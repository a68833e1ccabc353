import { expose } from "comlink";
import { SeriesEngine } from "./engine";

expose(new SeriesEngine());
