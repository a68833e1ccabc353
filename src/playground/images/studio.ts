import { proxy } from "comlink";

/** What the page has its worker do. Each part is loaded when it is first shown. */
export class Studio {
  async digits() {
    const { DigitsTraining } = await import("./digits-training");
    return proxy(new DigitsTraining());
  }

  async classes() {
    const { ClassesTraining } = await import("./classes-training");
    return proxy(new ClassesTraining());
  }

  async autoencoder() {
    const { AutoencoderTraining } = await import("./autoencoder-training");
    return proxy(new AutoencoderTraining());
  }
}
