/** Adagrad on the rows that a batch touched: each element's step shrinks with the squares of its gradients so far. */
import type { Rows } from './row-merger.ts';

/** What each sum of squares starts from. It keeps the first steps of a rare word from being as long as the learning rate. */
const initialSquares = 0.1;

export class Adagrad {
  private readonly parameter: Float32Array;
  private readonly width: number;
  private readonly learningRate: number;
  private readonly squares: Float32Array;

  /** `parameter` is `[rows, width]`, and is changed in place. */
  constructor(parameter: Float32Array, width: number, learningRate: number) {
    this.parameter = parameter;
    this.width = width;
    this.learningRate = learningRate;
    this.squares = new Float32Array(parameter.length).fill(initialSquares);
  }

  /**
   * One step. The rows must be merged, as the package's `mode: 'merged'` gives them: the square of a sum is not the sum
   * of the squares, so a row that came twice would be updated with too small a square.
   *
   * @param scale - of the step, between 0 and 1
   */
  step({ indices, values, count }: Rows, scale: number): void {
    const { parameter, squares, width } = this;
    const rate = this.learningRate * scale;
    for (let row = 0, from = 0; row < count; row++) {
      const start = Number(indices[row]) * width;
      for (let to = start; to < start + width; to++, from++) {
        const gradient = values[from] as number;
        const sum = (squares[to] as number) + gradient * gradient;
        squares[to] = sum;
        (parameter[to] as number) -= (rate * gradient) / Math.sqrt(sum);
      }
    }
  }
}
