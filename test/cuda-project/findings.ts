/** For each file of tests on the emulated device: its process writes findings to a file of its own, which fail it. */
import { join } from 'node:path';
import { afterAll, expect, inject } from 'vitest';
import { refusedFindings } from './allowed-findings.ts';

// Read when the library is opened, at the first call on the device; processes that the tests start write there too.
const file = join(inject('findings'), String(process.pid));
process.env['CUEMU_FINDINGS'] = file;

afterAll(() => expect(refusedFindings(file)).toEqual([]));
