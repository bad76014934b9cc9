/** `npm run bench`: times the package on the workloads, alone and in turn with other systems. bench/README.md explains the figures. */
import { writeFileSync } from 'node:fs';
import { DeviceMissing } from './cuda/device.ts';
import { runOnCuda } from './cuda/run.ts';
import { help, readOptions, UsageError } from './options.ts';
import { runOnCpu } from './run-on-cpu.ts';

/** Progress goes to stderr, so that stdout holds the results and nothing else. */
const log = (line: string): void => void process.stderr.write(`${line}\n`);

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof DeviceMissing)) throw error;
  log(`bench: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), log);
  if (options === 'help') {
    process.stdout.write(help);
    return;
  }
  const { results, tables } = await (options.device === 'cpu' ? runOnCpu(options, log) : runOnCuda(options, options.device, log));
  if (options.markdown !== undefined) writeFileSync(options.markdown, tables);
  process.stdout.write(options.json ? `${JSON.stringify(results, null, 2)}\n` : tables);
}
