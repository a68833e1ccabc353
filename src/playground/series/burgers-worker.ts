import { expose } from "comlink";
import { BurgersEngine } from "./burgers";

expose(new BurgersEngine());
