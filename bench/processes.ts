/** Measurements that need a process of their own: each prints one line of JSON, after whatever else it likes to print. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const limitMs = 15 * 60_000;

/** Runs a program and returns its last line, parsed. Rejects with the last line of its complaint. */
export function runProgram(program: string, args: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { timeout: limitMs, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (!error) {
        resolve(JSON.parse(lastLine(stdout)));
        return;
      }
      const killed = error.killed ? `took longer than ${limitMs / 60_000} minutes` : `was ended by ${error.signal}`;
      reject(new Error(lastLine(stderr) || (error.signal ? killed : error.message)));
    });
  });
}

/** Runs another script of this folder, under the loader that runs this one. */
export function runScript(file: string, args: readonly string[]): Promise<unknown> {
  return runProgram(process.execPath, [...process.execArgv, scriptPath(file), ...args]);
}

export const scriptPath = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
