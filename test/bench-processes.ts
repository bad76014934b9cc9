/** Runs of the bench in processes of their own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../bench/main.ts', import.meta.url));

export interface BenchRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function runBench(args: readonly string[], environment: Record<string, string> = {}): Promise<BenchRun> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    execFile(process.execPath, ['--import', 'tsx', main, ...args], { env, timeout: 100_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}
