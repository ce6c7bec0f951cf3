import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawChart } from './gateway/chart.ts';
import { figuresOf, tableOf } from './gateway/figures.ts';
import { measure, startTargets, type Settings } from './gateway/measure.ts';
import { pinOurselves } from './gateway/processes.ts';
import { startSubgraphs } from './gateway/subgraphs.ts';
import { targetsOver, type Target } from './gateway/targets.ts';

const FOLDER = join(import.meta.dirname, '../.data/bench-gateway');
const CHART = join(import.meta.dirname, 'gateway.svg');

/** CPU per request of Soko's gateway and of others over the same subgraphs, and of the same graph without federation. */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: '' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '32' },
      chart: { type: 'boolean', default: false },
    },
  });
  const settings: Settings = {
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    connections: Number(values.connections),
  };
  pinOurselves();
  await using subgraphs = await startSubgraphs();
  mkdirSync(FOLDER, { recursive: true });
  const files = {
    folder: FOLDER,
    supergraphFile: join(FOLDER, 'supergraph.graphql'),
    withoutBatches: join(FOLDER, 'without-batches.graphql'),
  };
  writeFileSync(files.supergraphFile, subgraphs.supergraphSdl());
  writeFileSync(files.withoutBatches, subgraphs.supergraphSdl('alone'));
  await using targets = await startTargets(chosen(targetsOver(files), values.only));
  const measured = await measure(targets.running, subgraphs, settings);
  console.log(tableOf(measured, targets.missing));
  if (values.chart) writeFileSync(CHART, drawChart(measured));
  return figuresOf(measured, targets.missing);
}

function chosen(targets: Target[], only: string): Target[] {
  if (!only) return targets;
  const names = only.split(',');
  const unknown = names.filter((name) => !targets.some((target) => target.name === name));
  if (unknown.length > 0)
    throw new Error(`No such target: ${unknown.join(', ')}. There are ${targets.map(({ name }) => name).join(', ')}.`);
  return targets.filter(({ name }) => names.includes(name));
}
