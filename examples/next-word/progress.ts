/** The progress bar of the training: rows/s and loss; plain lines where the output is no terminal. */
import { SingleBar } from 'cli-progress';
import type { Progress } from './train.ts';

export class TrainingBar {
  private readonly bar: SingleBar;
  private readonly started = performance.now();
  private loss: number | undefined;

  constructor(totalRows: number) {
    const figures = '{percentage}% | {rate} rows/s | loss {loss} | {left} left';
    this.bar = new SingleBar({
      stream: process.stdout,
      format: process.stdout.isTTY ? `training [{bar}] ${figures}` : `training ${figures}`,
      barsize: 16,
      linewrap: true,
      noTTYOutput: true,
      notTTYSchedule: 5000,
    });
    this.bar.start(totalRows, 0, { rate: '-', loss: '-', left: '-' });
  }

  update({ rows, loss }: Progress): void {
    // One batch's loss jumps; the mean over the last hundred or so can be read.
    this.loss = this.loss === undefined ? loss : 0.99 * this.loss + 0.01 * loss;
    const rate = (1000 * rows) / (performance.now() - this.started);
    const left = (this.bar.getTotal() - rows) / rate;
    this.bar.update(rows, { rate: Math.round(rate).toLocaleString('en'), loss: this.loss.toFixed(3), left: `${Math.ceil(left)} s` });
  }

  stop(): void {
    this.bar.stop();
  }
}
