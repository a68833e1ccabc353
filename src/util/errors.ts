/** Shapes, names or types that do not fit together: the caller's mistake, found as early as it can be known. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** No usable device, a device that was lost, or an error the device reported. */
export class DeviceError extends Error {
  override readonly name = "DeviceError";
}

const CLOSED = "the device was closed; open() gives a new one";

/** What the calls of a device reject with once it was closed. */
export function closedError(): DeviceError {
  return new DeviceError(CLOSED);
}

/** Whether it is what a closed device rejects with, wherever it was made. */
export function isClosedError(error: DeviceError): boolean {
  return error.message === CLOSED;
}

/** A file that breaks the rules of its format. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
