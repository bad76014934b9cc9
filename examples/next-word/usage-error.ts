/** What the user got wrong: a flag, a folder, a file. The message is the one line to show. */
export class UsageError extends Error {}
