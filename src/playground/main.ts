import { open } from "../index";

const line = document.getElementById("device");

try {
  const device = await open({ backend: "webgpu" });
  const { vendor, architecture, description, isFallback } = device.info;
  const names = [vendor, architecture, description].filter(Boolean).join(" ");
  const kind = isFallback ? "a software adapter, far slower than a GPU" : "the GPU";
  if (line) line.textContent = `This browser offers WebGPU on ${names}: ${kind}.`;
  device.close();
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  if (line) line.textContent = `Here it trains on the CPU. ${reason}`;
}
