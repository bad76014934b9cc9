/** Code that runs with the package as `lib` in a process or a worker of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Ended {
  readonly code: number | string | null;
  readonly signal: string | null;
  /** What it wrote to both streams; what it posted is a line of JSON each. */
  readonly output: string;
}

/** Runs the body of an async function, with the package as `lib`, in a process of its own. */
export function inProcess(body: string, environment: Record<string, string> = {}): Promise<Ended> {
  const script = fileURLToPath(new URL('./run-with-package.mjs', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [script, body], { env: { ...process.env, ...environment }, timeout: 100_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? null) : 0, signal: error?.signal ?? null, output: stdout + stderr });
    });
  });
}

/** Runs the same in a worker; what it posts are messages. */
export function inWorker(body: string, data?: unknown): Worker {
  return new Worker(new URL('./run-with-package.mjs', import.meta.url), { workerData: { body, data } });
}

export const once = (worker: Worker, event: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.once(event, resolve);
    if (event !== 'error') worker.once('error', reject);
  });
