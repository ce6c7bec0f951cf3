import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kind, parse, type OperationDefinitionNode } from 'graphql';
import { z } from 'zod';
import type { Log } from '#shared/base/log.ts';
import type { SokoEngine } from '../../supergraph/open-engine.ts';
import type { Asked } from './plan-cache.ts';

interface Options {
  /** Texts of operations. */
  bodies: readonly string[];
  /** Where plans are kept, so that a restart needs none. */
  file: string | undefined;
  log: Log;
}

/** Plans of another format are of no use. */
const VERSION = 6;

const Plans = z.object({
  version: z.literal(VERSION),
  plans: z.array(z.object({ source: z.string(), operationName: z.string().optional(), fingerprint: z.string(), plan: z.string() })),
});

/** Makes an engine ready for operations before anybody asks them. Plans come from the file where the supergraph still is what they were made for. */
export async function planPersisted(engine: SokoEngine, { bodies, file, log }: Options): Promise<void> {
  const { preparations, planner } = engine;
  const kept = new Map(readPlans(file).map((each) => [memoOf(each), each]));
  let planned = 0;
  for (const asked of bodies.flatMap(operationsOf)) {
    const known = kept.get(memoOf(asked));
    if (known?.fingerprint === (await planner.fingerprint(asked.source))) {
      preparations.adopt({ ...asked, plan: known.plan });
      continue;
    }
    try {
      await preparations.of(asked);
      planned += 1;
    } catch (error) {
      log.warn({ err: error, operation: asked.operationName }, 'a known operation does not fit this supergraph');
    }
  }
  if (planned > 0 && file !== undefined) await writePlans(file, engine);
}

const memoOf = ({ source, operationName = '' }: Pick<Asked, 'source' | 'operationName'>): string => `${operationName}\n${source}`;

function operationsOf(source: string): Asked[] {
  const document = parse(source, { noLocation: true });
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) as OperationDefinitionNode[];
  return operations.map(({ name }) => ({ source, document, operationName: operations.length > 1 ? name?.value : undefined }));
}

type KeptPlan = z.infer<typeof Plans>['plans'][number];

function readPlans(file: string | undefined): KeptPlan[] {
  if (file === undefined) return [];
  try {
    return Plans.parse(JSON.parse(readFileSync(file, 'utf8'))).plans;
  } catch {
    return []; // Not there yet, or of another version: it is written anew.
  }
}

async function writePlans(file: string, { preparations, planner }: SokoEngine): Promise<void> {
  const plans: KeptPlan[] = [];
  for (const { source, operationName, plan } of preparations.recent()) {
    plans.push({ source, operationName, plan, fingerprint: await planner.fingerprint(source) });
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ version: VERSION, plans }));
  renameSync(`${file}.new`, file);
}
