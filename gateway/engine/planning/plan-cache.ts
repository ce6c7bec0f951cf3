import type { QueryPlan } from '@apollo/query-planner';
import { Kind, type DefinitionNode, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Operation } from '../types.ts';
import type { Identity } from '#shared/base/identity.ts';
import type { Planner } from './planner.ts';
import { prepare, type Prepared } from '../prepare.ts';
import type { Kit } from '../run.ts';
import type { LoadedSupergraph } from './supergraph.ts';

export type Asked = Pick<Operation, 'source' | 'document' | 'operationName'>;

/** An operation and its plan, as one engine hands it to the next. */
export interface Planned extends Asked {
  /** JSON. */
  plan: string;
}

/** The operations that are known, ready to run. */
export interface Preparations {
  /** At once when it is known; otherwise it is planned, once for all who ask meanwhile. */
  of(asked: Asked & { identity?: Identity }): Prepared | Promise<Prepared>;
  /** Makes a known plan ready. */
  adopt(planned: Planned): void;
  /** Most recently asked first. */
  recent(): Planned[];
}

interface Options {
  supergraph: LoadedSupergraph;
  planner: Planner;
  kit: Kit;
}

interface Kept {
  asked: Asked;
  plan: string;
  prepared: Prepared;
}

const MOST_OPERATIONS = 2_000;
/** Characters of texts and plans; what is compiled from them takes several times as much. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

export function createPreparations({ supergraph, planner, kit }: Options): Preparations {
  const known = new LRUCache<string, Kept>({
    max: MOST_OPERATIONS,
    maxSize: MOST_CHARACTERS,
    sizeCalculation: ({ asked, plan }) => asked.source.length + plan.length,
  });
  const flights = new Map<string, Promise<Prepared>>();

  function keep(asked: Asked, plan: string): Prepared {
    const { document, operationName } = asked;
    const prepared = prepare({ supergraph, kit, plan: JSON.parse(plan) as QueryPlan, document, operationName });
    known.set(memoOf(asked), { asked, plan, prepared });
    return prepared;
  }

  async function land(memo: string, asked: Asked, plan: Promise<string>): Promise<Prepared> {
    try {
      return keep(asked, await plan);
    } finally {
      flights.delete(memo);
    }
  }

  return {
    of({ source, document, operationName, identity }) {
      const asked: Asked = { source, document, operationName: nameIn(document, operationName) };
      const memo = memoOf(asked);
      const ready = known.get(memo)?.prepared ?? flights.get(memo);
      if (ready) return ready;
      const plan = planner.plan({ source, operationName: asked.operationName }, identity && callerOf(identity));
      if (typeof plan === 'string') return keep(asked, plan);
      const flight = land(memo, asked, plan);
      flights.set(memo, flight);
      return flight;
    },
    adopt: ({ plan, ...asked }) => void keep(asked, plan),
    recent: () => [...known.values()].map(({ asked, plan }) => ({ ...asked, plan })),
  };
}

/** A document of one operation is one operation, whether it is called by its name or not. */
function nameIn({ definitions }: DocumentNode, operationName: string | undefined): string | undefined {
  if (operationName === undefined) return undefined;
  const isOperation = ({ kind }: DefinitionNode): boolean => kind === Kind.OPERATION_DEFINITION;
  return definitions.filter(isOperation).length > 1 ? operationName : undefined;
}

/** Whoever has not signed in is the address he comes from. */
const callerOf = ({ viewer, client }: Identity): string => (viewer ? `viewer ${viewer.id}` : `address ${client?.ip ?? ''}`);

const memoOf = ({ source, operationName }: Omit<Asked, 'document'>): string => `${operationName ?? ''}\n${source}`;
