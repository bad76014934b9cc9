/** Once, before the tests of the vitest project 'cuda' on the emulated device: builds it. Afterwards: what it found. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { refusedFindings } from './allowed-findings.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder: a file for each process that has findings. */
    findings: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  execFileSync(fileURLToPath(new URL('../../scripts/build-emulated.sh', import.meta.url)), { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'sampled-softmax-findings-'));
  provide('findings', folder);
  return () => {
    // Those of a file's tests have failed that file: here are those that came after its end.
    const late = readdirSync(folder).flatMap((file) => refusedFindings(join(folder, file)));
    rmSync(folder, { recursive: true });
    if (late.length === 0) return;
    process.exitCode = 1;
    console.error(`the emulated device found:\n${late.join('\n')}`);
  };
}
