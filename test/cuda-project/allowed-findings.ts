import { existsSync, readFileSync } from 'node:fs';

/** Lines that are neither empty nor a reason; also the patterns of `grep -E` in scripts/test-cuda.sh. */
const allowed = readFileSync(new URL('../cuda/allowed-findings.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => new RegExp(line));

/** The findings in a file, where there is one, that no line of test/cuda/allowed-findings.txt allows. */
export function refusedFindings(file: string): string[] {
  if (!existsSync(file)) return [];
  const findings = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return findings.filter((line) => !allowed.some((pattern) => pattern.test(line)));
}
