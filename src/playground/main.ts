import { fromQuery } from "./config";
import { engine } from "./own-engine";

// The worker loads and opens its device while the page's own code is still on its way.
void engine.ready(fromQuery(location.hash.slice(1)).backend);
const { begin } = await import("./playground");
await begin();
