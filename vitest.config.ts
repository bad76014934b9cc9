import { defineConfig } from 'vitest/config';
import { chooseDevice } from './test/cuda-project/choose.ts';

const include = ['test/**/*.test.ts'];

// The project 'cuda' runs the tests once more, with every call and table that names no device on a CUDA device. A new
// file belongs to both projects.
const onDevices = ['test/bench-cuda.test.ts', 'test/cuda-*.test.ts', 'test/device-table*.test.ts'];
const onHost = [
  // Nothing in them runs on a device.
  'test/accidental-hits.test.ts',
  'test/bench.test.ts',
  'test/samplers*.test.ts',
  // They bring devices of their own.
  'test/devices.test.ts',
  'test/device-calls.test.ts',
  // Their bounds are of the CPU: a device has copies of what it reads.
  'test/extra-memory.test.ts',
  'test/page-faults.test.ts',
];
const tooLongIfEmulated = [
  // Thousands of steps of training, of calls that the other files make too.
  'test/next-word.test.ts',
];

// For a test that hangs, not for one that is slow: beside other work on all processors tests of a second took 30.
const timeouts = { testTimeout: 120_000, hookTimeout: 120_000 };

const device = chooseDevice();
const emulated = device.kind === 'emulated';
console.log(`tests with device 'cuda': ${device.kind === 'none' ? 'left out, ' : ''}${device.why}`);

export default defineConfig({
  test: {
    // The default is one process less than there are processors: of two, one.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'cpu',
          include,
          exclude: onDevices,
          // A process per file: a crash of the addon then ends one file's tests and names it.
          pool: 'forks',
          ...timeouts,
          typecheck: {
            enabled: true,
            include: ['test/**/*.test-d.ts'],
            tsconfig: './tsconfig.check.json',
            // Errors outside the type tests belong to `npm run typecheck`.
            ignoreSourceErrors: true,
          },
        },
      },
      ...(device.kind === 'none'
        ? []
        : [
            {
              test: {
                name: 'cuda',
                include,
                exclude: [...onHost, ...(emulated ? tooLongIfEmulated : [])],
                pool: 'forks' as const,
                ...timeouts,
                env: device.environment,
                ...(emulated ? { globalSetup: './test/cuda-project/build.ts', setupFiles: './test/cuda-project/findings.ts' } : {}),
              },
            },
          ]),
    ],
  },
});
