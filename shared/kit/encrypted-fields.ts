import type { EventDefinition } from './define-event.ts';
import { dataCipher } from '../base/data-keys.ts';

type EncryptedEvent = Pick<EventDefinition, 'encrypted'>;

// Created on demand: few events have secrets. All processes share this secret, since any of them may handle the event.
const cipher = () => dataCipher('events');

/** The payload for outbox, queue and dead letters: its secret fields are encrypted. */
export const encryptFields = <T>({ encrypted: fields }: EncryptedEvent, data: T): T =>
  mapFields(fields, data, (text) => cipher().encrypt(text));

/** The payload as it was published. */
export const decryptFields = <T>({ encrypted: fields }: EncryptedEvent, data: T): T =>
  mapFields(fields, data, (text) => cipher().decrypt(text));

function mapFields<T>(fields: readonly string[], data: T, convert: (text: string) => string): T {
  if (fields.length === 0) return data;
  const copy = { ...data } as Record<string, unknown>;
  for (const field of fields) if (typeof copy[field] === 'string') copy[field] = convert(copy[field]);
  return copy as T;
}
