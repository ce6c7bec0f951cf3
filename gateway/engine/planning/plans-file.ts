import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kind, parse, type OperationDefinitionNode } from 'graphql';
import { z } from 'zod';
import type { Log } from '#shared/base/log.ts';
import type { SokoEngine } from '../../supergraph/open-engine.ts';
import type { PlanRequest } from './plan-cache.ts';

interface Options {
  /** Documents of persisted operations. */
  bodies: readonly string[];
  /** Keeps plans between restarts. */
  file: string | undefined;
  log: Log;
}

/** Format of the file. Files of another version are ignored. */
const VERSION = 6;

const Plans = z.object({
  version: z.literal(VERSION),
  plans: z.array(z.object({ source: z.string(), operationName: z.string().optional(), fingerprint: z.string(), plan: z.string() })),
});

/** Plans operations before the first request. A plan of the file is used while its fingerprint matches the supergraph. */
export async function planPersisted(engine: SokoEngine, { bodies, file, log }: Options): Promise<void> {
  const { planCache, planner } = engine;
  const stored = new Map(readPlans(file).map((each) => [memoOf(each), each]));
  let planned = 0;
  for (const request of bodies.flatMap(operationsOf)) {
    const known = stored.get(memoOf(request));
    if (known?.fingerprint === (await planner.fingerprint(request.source))) {
      planCache.insert({ ...request, plan: known.plan });
      continue;
    }
    try {
      await planCache.of(request);
      planned += 1;
    } catch (error) {
      log.warn({ err: error, operation: request.operationName }, 'a known operation does not fit this supergraph');
    }
  }
  if (planned > 0 && file !== undefined) await writePlans(file, engine);
}

const memoOf = ({ source, operationName = '' }: Pick<PlanRequest, 'source' | 'operationName'>): string => `${operationName}\n${source}`;

function operationsOf(source: string): PlanRequest[] {
  const document = parse(source, { noLocation: true });
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) as OperationDefinitionNode[];
  return operations.map(({ name }) => ({ source, document, operationName: operations.length > 1 ? name?.value : undefined }));
}

type StoredPlan = z.infer<typeof Plans>['plans'][number];

function readPlans(file: string | undefined): StoredPlan[] {
  if (file === undefined) return [];
  try {
    return Plans.parse(JSON.parse(readFileSync(file, 'utf8'))).plans;
  } catch {
    return []; // Missing, or of another version: it is written again.
  }
}

async function writePlans(file: string, { planCache, planner }: SokoEngine): Promise<void> {
  const plans: StoredPlan[] = [];
  for (const { source, operationName, plan } of planCache.recent()) {
    plans.push({ source, operationName, plan, fingerprint: await planner.fingerprint(source) });
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ version: VERSION, plans }));
  renameSync(`${file}.new`, file);
}
