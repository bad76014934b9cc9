/** Sectors of device memory and wavefronts of shared memory that the kernels move, as the emulator counts them, against the fewest possible. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { count, type Access, type Counted } from './cuda-traffic/counted.ts';
import { exceptions } from './cuda-traffic/exceptions.ts';
import { allRuns, runNames, type RunName } from './cuda-traffic/runs.ts';
import { emulated } from './device.ts';

// The least that the ideal may be of what an access moves.
const floor = 0.9;
// Accesses below this part of their kernel's sectors, or wavefronts, do not matter.
const least = 0.01;

interface Low extends Access {
  readonly kernel: string;
}

const lowAccesses = (counted: Counted): Low[] =>
  [...counted].flatMap(([kernel, { accesses }]) =>
    accesses.filter(({ efficiency, share }) => efficiency < floor && share >= least).map((access) => ({ kernel, ...access })),
  );

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
const describeLow = ({ kernel, space, access, what, source, caller, efficiency, share }: Low): string =>
  `${kernel}: ${space} ${access} ${what}, ${percent(efficiency)} of the ideal, ${percent(share)} of all: ${source}${caller && ` <- ${caller}`}`;

/** `kernel` may leave out the template arguments, or the last of them; `text` is a part of the line or of that which calls it. */
const isMeant = (low: Low, kernel: string, text: string): boolean =>
  (low.kernel === kernel || low.kernel.startsWith(kernel.includes('<') ? kernel : `${kernel}<`)) &&
  (low.source.includes(text) || low.caller.includes(text));

describe.runIf(emulated)('traffic of the kernels', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-traffic-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const counted = new Map<RunName, Counted>();
  beforeAll(async () => {
    const counting = runNames.map(async (run) => {
      const { call, environment } = allRuns[run];
      counted.set(run, await count(call, join(folder, run), environment));
    });
    await Promise.all(counting);
  });

  it('is that of all kernels of the library', () => {
    const launches = new Map<string, number>();
    for (const kernels of counted.values())
      for (const [kernel, seen] of kernels) launches.set(kernel, (launches.get(kernel) ?? 0) + seen.launches);
    expect(launches.size).toBeGreaterThan(0);
    expect([...launches].filter(([, n]) => n === 0)).toEqual([]);
  });

  it.each(runNames)('is at least 90 % of the ideal at each access, but for exceptions: %s', (run) => {
    const low = lowAccesses(counted.get(run) as Counted);
    const allowed = exceptions.filter(({ runs }) => runs.includes(run)).flatMap(({ accesses }) => accesses);
    const unexpected = low.filter((access) => !allowed.some(([kernel, text]) => isMeant(access, kernel, text)));
    expect(unexpected.map(describeLow), 'neither above the floor nor an exception').toEqual([]);
    const idle = allowed.filter(([kernel, text]) => !low.some((access) => isMeant(access, kernel, text)));
    expect(idle, 'exceptions that no longer apply').toEqual([]);
  });
});
