/** The GPU that the bench is to run on. */
import { devices, info, type CudaDevice } from 'sampled-softmax';

/** The device is not there, or does not answer; the message is one line for the reader. */
export class DeviceMissing extends Error {}

export function findDevice(name: CudaDevice['name']): CudaDevice {
  const there = lookForDevices();
  if (there.length === 0) throw new DeviceMissing(`no CUDA device: ${info().cuda.reason}`);
  const device = there.find((one) => one.name === name);
  if (device === undefined) throw new DeviceMissing(`no '${name}' here, but ${there.map((one) => `'${one.name}'`).join(', ')}`);
  return device;
}

function lookForDevices(): CudaDevice[] {
  try {
    return devices().filter((device) => device.type === 'cuda');
  } catch (error) {
    throw new DeviceMissing((error as Error).message);
  }
}
