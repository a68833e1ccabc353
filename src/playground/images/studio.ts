import { proxy } from "comlink";

/** What the page has its worker do. Each part is loaded when it is first shown. */
export class Studio {
  async digits() {
    const { DigitsTraining } = await import("./digits-training");
    return proxy(new DigitsTraining());
  }
}
