import { type Device, DeviceError } from "../../src/index";

/** Makes a CPU device as one whose worker was terminated: calls under way and later ones reject, and `lost` says why. */
export function terminate(device: Device): void {
  const backend: object = Reflect.get(device, "runs");
  Reflect.set(backend, "gone", new DeviceError("the device is gone (unknown): it was terminated"));
  Reflect.get(backend, "lose").call(backend, { reason: "unknown", message: "it was terminated" });
}

interface Witnessed {
  readonly gpu: GPU;
  readonly devices: GPUDevice[];
  barred: boolean;
}

/** The WebGPU of this machine, with the devices that it gave; none any more where `barred` is set. */
export function witnessed(): Witnessed {
  const devices: GPUDevice[] = [];
  const found: Witnessed = {
    devices,
    barred: false,
    gpu: {
      wgslLanguageFeatures: navigator.gpu.wgslLanguageFeatures,
      async requestAdapter(options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> {
        const adapter: GPUAdapter | null = found.barred ? null : await navigator.gpu.requestAdapter(options);
        if (adapter === null) return null;
        const request = adapter.requestDevice.bind(adapter);
        adapter.requestDevice = async (descriptor) => {
          const device = await request(descriptor);
          devices.push(device);
          return device;
        };
        return adapter;
      },
    } as GPU,
  };
  return found;
}
