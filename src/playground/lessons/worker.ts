import { expose } from "comlink";
import { Lessons } from "./lesson";

expose(new Lessons());
