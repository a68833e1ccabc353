import { type Device, DeviceError, type Program, type Session, type Trainer, type Values } from "../../index";

/** A program that shows more of a network than its predictions: it runs with the trainer's weights, on the device that trains. */
export class Beside {
  private held: { device: Device; session: Promise<Session> } | null = null;

  constructor(
    private readonly trainer: Trainer,
    private readonly program: Program,
    /** Numbers in an example of the trainer's network. */
    private readonly inputs: number,
  ) {}

  /** Compiled when first wanted, and again where the device is another. */
  session(): Promise<Session> {
    const { device } = this.trainer;
    if (this.held?.device !== device) this.held = { device, session: device.compile(this.program) };
    return this.held.session;
  }

  /** Outputs by name for these inputs, by `weights` or those that the trainer has now; what the program has no parameter for is passed over. */
  async run(
    inputs: Record<string, Values>,
    weights?: Record<string, Float32Array>,
  ): Promise<Record<string, Float32Array>> {
    const { trainer, program } = this;
    const all = weights ?? (await trainer.weights());
    const own = Object.fromEntries(Object.entries(all).filter(([name]) => name in program.parameters));
    for (;;) {
      const { device } = trainer;
      try {
        const session = await this.session();
        session.write(own);
        return (await session.run(inputs)) as Record<string, Float32Array>;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        await trainer.predict(new Float32Array(this.inputs)); // finds another device where this one is gone
        if (trainer.device === device) throw error;
      }
    }
  }

  dispose(): void {
    void this.held?.session.then(
      (session) => session.dispose(),
      () => {},
    );
  }
}
