import { VERSION } from "../../index";

/** What a report was made with. */
export interface Environment {
  version: string;
  userAgent: string;
  /** What the browser says of itself when asked, its full version and the platform's; null where it does not. */
  browser: Record<string, unknown> | null;
  /** Of the adapter that WebGPU gives first; null where there is none. */
  adapter: { features: string[]; limits: Record<string, number> } | null;
}

interface UserAgentData {
  getHighEntropyValues(hints: readonly string[]): Promise<Record<string, unknown>>;
}

const HINTS = ["fullVersionList", "platform", "platformVersion", "architecture", "bitness", "model"];

export async function environment(): Promise<Environment> {
  const { userAgent, userAgentData, gpu }: Partial<Navigator> & { userAgentData?: UserAgentData } =
    globalThis.navigator ?? {};
  const [browser, adapter] = await Promise.all([
    userAgentData?.getHighEntropyValues(HINTS).catch(() => null) ?? null,
    gpu?.requestAdapter().catch(() => null) ?? null,
  ]);
  return {
    version: VERSION,
    userAgent: userAgent ?? "",
    browser,
    adapter: adapter && { features: [...adapter.features].sort(), limits: limitsOf(adapter.limits) },
  };
}

/** They are properties of the prototype, which JSON leaves out. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") found[name] = value;
  }
  return found;
}
