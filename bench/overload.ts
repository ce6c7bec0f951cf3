import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { inParallel } from '../demo/load/door.ts';
import { openShoppers, type Outcome, type Shoppers } from './overload/shoppers.ts';
import { startMarket } from './overload/market.ts';

/* Clients that order as fast as they are answered, more of them than can be served: what each gets, and how soon. */

const CLIENTS = [1, 8, 16, 64];
const PAUSE_MS = 1_000;
/** Carts that are filled at a time before the clock runs. */
const FILLING = 8;

interface Level {
  ordersPerSecond: number;
  p50Seconds: number;
  p95Seconds: number;
  slowestSeconds: number;
  refusals: number;
  /** The slowest refusal, in milliseconds. */
  slowestRefusalMs: number;
  /** Answers that are neither an order nor a refusal that says so. */
  others: number;
}

export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: { seconds: { type: 'string', default: '10' }, split: { type: 'boolean' }, together: { type: 'boolean' } },
  });
  const both = !values.split && !values.together;
  const figures: Record<string, Record<string, Level>> = {};
  if (both || values.together) figures['together'] = await measure([], Number(values.seconds));
  if (both || values.split) figures['split'] = await measure(['--split'], Number(values.seconds));
  const all = Object.values(figures);
  return {
    goodput64to8: Math.min(...all.map((levels) => round(levels['64']!.ordersPerSecond / levels['8']!.ordersPerSecond))),
    slowestSeconds: Math.max(...all.flatMap((levels) => Object.values(levels).map(({ slowestSeconds }) => slowestSeconds))),
    ...figures,
  };
}

async function measure(flags: string[], seconds: number): Promise<Record<string, Level>> {
  const market = await startMarket(flags);
  try {
    const shoppers = await openShoppers(market);
    // What is done for the first time is measured nowhere.
    await order(shoppers, 4, 2);
    const levels: Record<string, Level> = {};
    for (const clients of CLIENTS) {
      levels[clients] = await order(shoppers, clients, seconds);
      console.log(`${flags[0] ?? 'one process'}, ${clients} clients: ${JSON.stringify(levels[clients])}`);
      await delay(PAUSE_MS);
    }
    return levels;
  } finally {
    await market.stop();
  }
}

async function order(shoppers: Shoppers, clients: number, seconds: number): Promise<Level> {
  const all = await inParallel([...Array(clients).keys()], FILLING, () => shoppers.enter());
  const since = performance.now();
  const until = since + seconds * 1_000;
  const outcomes = (await Promise.all(all.map((shopper) => shopper.shop(() => performance.now() >= until)))).flat();
  // To the last order: who was refused only waits after it.
  const wallSeconds = (Math.max(...outcomes.filter(({ kind }) => kind === 'order').map(({ at }) => at)) - since) / 1_000;
  const of = (kind: Outcome['kind']): number[] => outcomes.filter((each) => each.kind === kind).map(({ ms }) => ms);
  const placed = of('order').toSorted((a, b) => a - b);
  return {
    ordersPerSecond: round(placed.length / wallSeconds),
    p50Seconds: round(quantile(placed, 0.5) / 1_000),
    p95Seconds: round(quantile(placed, 0.95) / 1_000),
    slowestSeconds: round(Math.max(0, ...outcomes.map(({ ms }) => ms)) / 1_000),
    refusals: of('refusal').length,
    slowestRefusalMs: Math.round(Math.max(0, ...of('refusal'))),
    others: of('other').length,
  };
}

const quantile = (sorted: number[], part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

const round = (value: number): number => Math.round(value * 100) / 100;
