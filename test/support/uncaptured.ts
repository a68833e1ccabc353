// An error that a device reports outside any call would only be logged: here it fails the run. A test that provokes one
// takes its device's `onuncapturederror` away.

const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (descriptor) {
  const device = await request.call(this, descriptor);
  device.onuncapturederror = ({ error }) => {
    reportError(new Error(`the device reported an error outside any call: ${error.message}`));
  };
  return device;
};
