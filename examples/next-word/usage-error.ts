/** What the user got wrong: a flag, a folder, a file. The message is the one line to show. */
export class UsageError extends Error {}

/** For what the system answered; its message may end in the path, which is said already. */
export function cannotBeWritten(file: string, error: unknown): UsageError {
  const [reason] = (error as Error).message.split(', ', 1);
  return new UsageError(`--out: '${file}' cannot be written: ${reason}`);
}
