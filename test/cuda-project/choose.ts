/** On what the tests of the vitest project 'cuda' run: a real device, the emulated one, or nothing. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Choice {
  readonly kind: 'real' | 'emulated' | 'none';
  /** One line for whoever looks at the output. */
  readonly why: string;
  /** Of the tests' processes. */
  readonly environment: Record<string, string>;
}

export const emulatedLibrary = join(root, 'build/emulated/libsampled_softmax_cuda_emulated.so');

/** The names of the devices that the library beside the addon finds, or why there are none. */
function realDevices(): { names: string[]; reason: string } {
  try {
    const { resolve } = createRequire(import.meta.url)('node-gyp-build') as { resolve: (folder: string) => string };
    // Without the library there is nothing to ask, and no second to spend.
    const library = join(dirname(resolve(root)), 'libsampled_softmax_cuda.so');
    if (!existsSync(library)) return { names: [], reason: 'the CUDA library is not built' };
    const body =
      "post([lib.devices().filter(({ type }) => type === 'cuda').map(({ description }) => description), lib.info().cuda.reason])";
    const environment = { ...process.env, SAMPLED_SOFTMAX_CUDA_LIBRARY: '', SAMPLED_SOFTMAX_DEVICE: '' };
    const output = execFileSync(process.execPath, [join(root, 'test/run-with-package.mjs'), body], { encoding: 'utf8', env: environment });
    const [names, reason = ''] = JSON.parse(output) as [string[], string?];
    return { names, reason };
  } catch (error) {
    return { names: [], reason: (error as Error).message.split('\n')[0] as string };
  }
}

export function chooseDevice(): Choice {
  const { names, reason } = realDevices();
  if (names.length > 0) return { kind: 'real', why: `on ${names[0]}`, environment: { SAMPLED_SOFTMAX_DEVICE: 'cuda' } };
  const tools = spawnSync(join(root, 'scripts/build-emulated.sh'), ['--tools'], { encoding: 'utf8' });
  if (tools.status !== 0) return { kind: 'none', why: `no device (${reason}), and none emulated: ${tools.stdout.trim()}`, environment: {} };
  const given = process.env['SAMPLED_SOFTMAX_CUDA_LIBRARY'] ?? ''; // of another architecture, by scripts/test-cuda.sh
  return {
    kind: 'emulated',
    why: `emulated on the CPU, as there is no device (${reason})`,
    environment: {
      SAMPLED_SOFTMAX_DEVICE: 'cuda',
      SAMPLED_SOFTMAX_CUDA_LIBRARY: given === '' ? emulatedLibrary : given,
      // Small, so that small problems are cut into chunks of columns too.
      SAMPLED_SOFTMAX_CUDA_KEPT_BYTES: '65536',
      CUEMU_QUIET: '1',
    },
  };
}
