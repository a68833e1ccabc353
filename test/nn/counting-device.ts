import { type Device, open, type Session } from "../../src/index";

/** The CPU device, with its sessions and what they were written, in bytes by name. */
export async function countingDevice(): Promise<
  Device & { sessions: Session[]; writtenBytes: Record<string, number> }
> {
  const device = await open({ backend: "cpu" });
  const sessions: Session[] = [];
  const writtenBytes: Record<string, number> = {};
  return {
    backend: device.backend,
    info: device.info,
    lost: device.lost,
    memory: () => device.memory(),
    close: () => device.close(),
    tune: (program, options) => device.tune(program, options),
    sessions,
    writtenBytes,
    async compile(program, options) {
      const session = await device.compile(program, options);
      const write = session.write.bind(session);
      session.write = (values) => {
        for (const [name, { length }] of Object.entries(values)) {
          writtenBytes[name] = (writtenBytes[name] ?? 0) + 4 * length;
        }
        write(values);
      };
      sessions.push(session);
      return session;
    },
  };
}
