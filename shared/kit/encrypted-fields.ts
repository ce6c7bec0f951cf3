import { env } from '../base/env.ts';
import type { EventDefinition } from './define-event.ts';
import { createVault } from '../base/encryption.ts';

type Sealing = Pick<EventDefinition, 'sealed'>;

// Made when it is needed: few events have secrets. Of the secret that all processes share, since any of them may hear the event.
const vault = () => createVault('events', env.INTERNAL_SECRET);

/** The payload as it may lie in an outbox, on a queue and among dead letters: what is secret in it is sealed. */
export const sealed = <T>({ sealed: fields }: Sealing, data: T): T => changed(fields, data, (text) => vault().seal(text));

/** The payload as it was said. */
export const opened = <T>({ sealed: fields }: Sealing, data: T): T => changed(fields, data, (text) => vault().open(text));

function changed<T>(fields: readonly string[], data: T, change: (text: string) => string): T {
  if (fields.length === 0) return data;
  const copy = { ...data } as Record<string, unknown>;
  for (const field of fields) if (typeof copy[field] === 'string') copy[field] = change(copy[field]);
  return copy as T;
}
