import { expose } from "comlink";
import { TextEngine } from "./engine";

expose(new TextEngine());
