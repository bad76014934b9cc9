// The README's programs run as they stand, with fewer classes: a million rows of 128 would take half a gigabyte.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const programs = Array.from(readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm), (match) => match[1] as string);

describe('the README', () => {
  it('has a program', () => {
    expect(programs.length).toBeGreaterThan(0);
  });

  it.each(programs)('%#: runs', (program) => {
    // Inside the package, so that its name resolves to itself.
    const folder = mkdtempSync(`${root}test/readme-`);
    try {
      writeFileSync(`${folder}/program.ts`, program.replace('1_000_000', '20_000'));
      const output = execFileSync(process.execPath, ['--import', 'tsx', `${folder}/program.ts`], { cwd: root, encoding: 'utf8' });
      expect(Number.parseFloat(output)).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('lists every error code', () => {
    const source = readFileSync(new URL('../lib/errors.ts', import.meta.url), 'utf8');
    const union = source.slice(source.indexOf('export type ErrorCode'), source.indexOf(';', source.indexOf('export type ErrorCode')));
    const codes = Array.from(union.matchAll(/'(ERR_\w+)'/g), (match) => match[1]);
    const listed = Array.from(readme.matchAll(/^\| `(ERR_\w+)` \|/gm), (match) => match[1]);
    expect(listed.sort()).toEqual(codes.sort());
  });
});
