/** WebGPU whose news comes late, as in a browser that looks for it every 100 ms. */
export interface LateGpu {
  readonly gpu: GPU;
  /**
   * How many answers had to be waited for one after another since the last call: whatever is asked for while an answer is under way
   * is one wait with it.
   */
  waits(): number;
}

/** What `navigator.gpu` gives, with `mapAsync` and `onSubmittedWorkDone` answering `lateMs` late. */
export function lateGpu(lateMs: number): LateGpu {
  /** The length of the longest chain of answers each of which was asked for after the one before had come. */
  let chain = 0;
  let before = 0;
  const late = <Args extends unknown[]>(ask: (...args: Args) => Promise<undefined>) => {
    return async (...args: Args): Promise<undefined> => {
      const length = chain + 1;
      try {
        return await ask(...args);
      } finally {
        await new Promise((resolve) => setTimeout(resolve, lateMs));
        chain = Math.max(chain, length);
      }
    };
  };
  const change = (device: GPUDevice) => {
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      buffer.mapAsync = late(buffer.mapAsync.bind(buffer));
      return buffer;
    };
    const { queue } = device;
    queue.onSubmittedWorkDone = late(queue.onSubmittedWorkDone.bind(queue));
  };
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = await navigator.gpu.requestAdapter(options);
    if (adapter === null) return null;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      change(device);
      return device;
    };
    return adapter;
  };
  return {
    gpu: new Proxy(navigator.gpu, {
      get: (gpu, name) => (name === "requestAdapter" ? requestAdapter : Reflect.get(gpu, name, gpu)),
    }),
    waits() {
      const waited = chain - before;
      before = chain;
      return waited;
    },
  };
}
