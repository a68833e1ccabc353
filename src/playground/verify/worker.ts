import { expose } from "comlink";
import { Suite } from "./suite";

expose(new Suite());
