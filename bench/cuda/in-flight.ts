/** Timing of calls that overlap: the next is made before the last one's Promise has settled. */
import { median } from '../timing.ts';

/** Fewest calls that are timed, beyond those in flight at first. */
const fewestCalls = 3;

/**
 * Median milliseconds a call over about `seconds`, with `depth` calls in flight at any time. The time of a call is that
 * between two ends, taken over `depth` of them, as neighbours may end together.
 */
export async function timeInFlight(call: () => Promise<unknown>, depth: number, seconds: number): Promise<number> {
  const flights: Promise<unknown>[] = [];
  const next = async (): Promise<number> => {
    while (flights.length < depth) flights.push(start(call));
    await flights.shift();
    return performance.now();
  };
  for (let i = 0; i < 2 * depth; i++) await next(); // warms up
  const ends = [await next()];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end || ends.length <= fewestCalls) ends.push(await next());
  await Promise.all(flights);
  return median(ends.slice(depth).map((time, i) => (time - ends[i]!) / depth));
}

function start(call: () => Promise<unknown>): Promise<unknown> {
  const flight = call();
  // Where an earlier call fails nobody awaits this one, and its failure has to be nobody's business.
  flight.catch(() => undefined);
  return flight;
}
