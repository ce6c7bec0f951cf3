import type { AnyContext } from './context.ts';
import { decryptFields } from './encrypted-fields.ts';
import type { Envelope, EventDefinition } from './define-event.ts';

/** Handles events in batches, on a queue of its own named `<subgraph>-<name>`. */
export interface BatchHandler<C extends AnyContext = AnyContext> {
  kind: 'batch';
  /** In kebab-case. Another name is another consumer: it receives again what the outboxes still hold. */
  name: string;
  /** Empty: every event of every subgraph. */
  events: readonly EventDefinition[];
  max: number;
  waitMs: number;
  newestOnly: boolean;
  run(ctx: C, envelopes: readonly Envelope[]): Promise<unknown>;
}

interface BatchOptions {
  /** Default 200 events. */
  max?: number;
  /** An incomplete batch is handled after this long. Default 500 ms. */
  waitMs?: number;
}

/**
 * Subscribes an action to several events, in batches. A batch is one transaction with the inbox rows of its events, in the order of
 * their sequence within each key. When it fails, its events are handled one by one, so that a wrong one concerns itself only. `newestOnly`:
 * of each type and key only the newest event is handled, and older ones are dropped.
 */
export function onEvents<D extends EventDefinition<any>, C extends AnyContext>(
  name: string,
  events: readonly D[],
  action: (ctx: C, envelopes: readonly Envelope<DataOf<D>>[]) => Promise<unknown>,
  { max = 200, waitMs = 500, newestOnly = false }: BatchOptions & { newestOnly?: boolean } = {},
): BatchHandler<C> {
  const read = (envelope: Envelope): Envelope<DataOf<D>> => {
    const definition = events.find(({ type, version }) => type === envelope.type && version === envelope.version)!;
    return { ...envelope, data: definition.schema.parse(decryptFields(definition, envelope.data)) as DataOf<D> };
  };
  return { kind: 'batch', name, events, max, waitMs, newestOnly, run: (ctx, envelopes) => action(ctx, envelopes.map(read)) };
}

type DataOf<D> = D extends EventDefinition<infer T> ? T : never;

/**
 * Subscribes an action to every event of every subgraph, in batches: for an activity log or analytics. Payloads come as they were
 * published, with encrypted fields encrypted. Jobs are no events.
 */
export const onAnyEvent = <C extends AnyContext>(
  name: string,
  action: (ctx: C, envelopes: readonly Envelope[]) => Promise<unknown>,
  { max = 200, waitMs = 500 }: BatchOptions = {},
): BatchHandler<C> => ({ kind: 'batch', name, events: [], max, waitMs, newestOnly: false, run: action });
