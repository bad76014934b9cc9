/** What tests ask about the device on which calls run that name none: that of the vitest project (vitest.config.ts). */

const { SAMPLED_SOFTMAX_DEVICE: device = '', SAMPLED_SOFTMAX_CUDA_LIBRARY: library = '' } = process.env;

const onDevice = device.startsWith('cuda');

/** Whether the device is the emulated one, which runs each instruction of a kernel on the CPU: about a thousand times slower. */
export const emulated = onDevice && /_(emulated|compute_\d+)\.so$/.test(library);

/** A size, or a number of runs, for the CPU; one that an emulated device does in about the same time; and one for a real device. */
export const sized = <T>(cpu: T, ifEmulated: T, ifReal: T = cpu): T => (emulated ? ifEmulated : onDevice ? ifReal : cpu);
