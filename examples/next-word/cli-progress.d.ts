/** The part of cli-progress that the example uses; the package brings no types. */
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: {
      stream: NodeJS.WritableStream;
      format: string;
      barsize: number;
      linewrap: boolean;
      noTTYOutput: boolean;
      notTTYSchedule: number;
    });
    start(total: number, value: number, payload: Record<string, string>): void;
    update(value: number, payload: Record<string, string>): void;
    getTotal(): number;
    stop(): void;
  }
}
