import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobFailed } from '#shared/kit/job-events.ts';
import { mongoose } from '#shared/store/mongo.ts';
import { readRefusals, type Refusals } from './codes.ts';
import { readSdl } from './document.ts';
import { missingNames } from './folder.ts';
import { kitFaults } from './kit.ts';
import { listFaults } from './lists.ts';
import { loadContract, loadSubgraph, productionSources, ROOT, subgraphFolders, type LoadedSubgraph } from './load-subgraph.ts';
import { projectFaults } from './project.ts';
import { declaredRefusals } from './sdl.ts';
import { subgraphFaults, type Surroundings } from './subgraph.ts';

/**
 * The rules that can be told without running a subgraph: one line for each fault, `where: what is wrong; what to do`. With `only`, those of
 * one subgraph.
 */
export async function ruleFaults({ root = ROOT, only }: { root?: string; only?: string } = {}): Promise<string[]> {
  const folders = subgraphFolders(root);
  if (only !== undefined && !folders.includes(only))
    return [`there is no folder subgraphs/${only}; it may be one of ${folders.join(', ')}`];
  const checked = only === undefined ? folders : [only];
  const lists = listFaults(root).filter((fault) => only === undefined || fault.includes(only));
  const missing = new Map(folders.map((name) => [name, missingNames(join(root, 'subgraphs', name))]));
  const faults = checked.flatMap((name) => missing.get(name)!.map((file) => `subgraphs/${name}: ${file} is missing`));
  // What else is wrong with a folder is told when its files are there.
  const isLoadable = (name: string): boolean => missing.get(name)!.every((file) => file === 'subgraph.test.ts');

  const surroundings = await readSurroundings(root, folders.filter(isLoadable));
  const loaded: LoadedSubgraph[] = [];
  for (const name of checked.filter(isLoadable)) {
    try {
      const each = await loadSubgraph(name, root);
      loaded.push(each);
      faults.push(...subgraphFaults(each, surroundings).map((fault) => `subgraphs/${name}: ${fault}`));
    } catch (error) {
      faults.push(`subgraphs/${name}: cannot be loaded: ${lineOf(error)}`);
    }
  }
  return [...lists, ...faults, ...(only === undefined ? [...projectFaults(loaded), ...kitFaults(root)] : [])];
}

let kitRefusals: Refusals | undefined;

async function readSurroundings(root: string, folders: readonly string[]): Promise<Surroundings> {
  const preamble = readFileSync(join(ROOT, 'shared/kit/common-types.graphql'), 'utf8');
  // One that cannot be loaded declares nothing; the fault is told where it is checked itself.
  const contracts = await Promise.all(folders.map((name) => loadContract(name, root).catch(() => ({ events: [], commands: [] }))));
  const refusals = new Map<string, Refusals>();
  return {
    // Each subgraph publishes that of the kit.
    declared: new Set([...contracts.flatMap(({ events }) => events), jobFailed]),
    common: declaredRefusals(readSdl(preamble, {}, new Set())),
    kit: (kitRefusals ??= readRefusals(productionSources('shared'))),
    refusalsOf: (name) => {
      const found = refusals.get(name) ?? readRefusals(productionSources(`subgraphs/${name}`, root));
      refusals.set(name, found);
      return found;
    },
  };
}

const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!.trim();

if (import.meta.main) {
  const only = process.argv[2];
  const faults = await ruleFaults(only === undefined ? {} : { only });
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
  await mongoose.disconnect();
}
