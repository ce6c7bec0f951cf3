import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { audiencesOf } from '#shared/graph-contracts/graph-contract.ts';
import { Problem } from '#shared/base/errors.ts';

/** Who may have the whole graph names its contract in this header, or over a socket in its connectionParams. So it can only narrow. */
export const CONTRACT = 'x-soko-contract';
/** A request shows its key in this header, a socket also in its connectionParams. */
export const KEY = 'x-soko-key';

const Key = z.strictObject({
  /** Of the program that has the key. */
  name: z.string().min(1),
  /** The key itself is known to its holder alone. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/i, 'must be the SHA-256 of the key, in hexadecimal'),
  /** All that its holder gets. Without, it gets the whole graph. */
  contract: z.string().min(1).optional(),
  /** Its holder may read the schema, that is its contract's, in production too. */
  introspection: z.boolean().default(false),
});

const isEachOnce = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** What a file of keys holds. */
export const ApiKeys = z
  .array(Key)
  .min(1)
  .refine((keys) => isEachOnce(keys.map(({ name }) => name)), 'names must differ')
  .refine((keys) => isEachOnce(keys.map(({ sha256 }) => sha256.toLowerCase())), 'keys must differ');

export type ApiKey = z.output<typeof Key>;

/** What a caller gets, whoever has signed in. */
export interface Access {
  /** The name that its key was given to. */
  holder: string | undefined;
  contract: string | undefined;
  /** Whether it is shown the schema without having signed in. */
  readsSchema: boolean;
}

type Given = Readonly<Record<string, unknown>>;

/**
 * The access of a caller by its headers, names in lower case, or other such sources; the first that says something counts. Throws a Problem
 * when it has none.
 */
export type UseKeys = (...given: readonly (Given | undefined)[]) => Access;

interface KeysOptions {
  /** Without any, nobody's key is looked at. */
  keys?: readonly ApiKey[] | undefined;
  /** Who has no key is refused. */
  isRequired?: boolean | undefined;
}

/**
 * A key decides on the contract of its holder. Who has none gets everything, and may narrow that by naming a contract. Keys are compared by
 * their hashes, with every one there is: how long it takes tells nothing.
 */
export function useKeys({ keys = [], isRequired = false }: KeysOptions): UseKeys {
  const known = keys.map((key) => ({ ...key, digest: Buffer.from(key.sha256, 'hex') }));

  const holderOf = (key: unknown): ApiKey => {
    const digest = createHash('sha256').update(String(key)).digest();
    const [found] = known.filter((each) => timingSafeEqual(each.digest, digest));
    if (!found) throw new Problem('UNAUTHENTICATED', 'The API key is not valid.');
    return found;
  };

  return (...given) => {
    const named = textOf(valueOf(CONTRACT, given));
    const key = known.length > 0 ? valueOf(KEY, given) : undefined;
    if (key === undefined && isRequired) throw new Problem('UNAUTHENTICATED', `Show an API key in ${KEY}.`);
    if (key === undefined) return { holder: undefined, contract: named, readsSchema: false };
    const { name, contract = named, introspection } = holderOf(key);
    if (named !== undefined && named !== contract) throw new Problem('FORBIDDEN', 'The API key is for another contract.');
    return { holder: name, contract, readsSchema: introspection };
  };
}

/** Throws when a key is for a contract that this supergraph does not have. */
export function checkContracts(keys: readonly ApiKey[], supergraphSdl: string): void {
  const bound = keys.filter(({ contract }) => contract !== undefined);
  if (bound.length === 0) return;
  const audiences: (string | undefined)[] = audiencesOf(supergraphSdl);
  const lost = bound.find(({ contract }) => !audiences.includes(contract));
  if (lost) throw new Error(`The key of ${lost.name} is for the contract ${lost.contract}, which the supergraph does not have.`);
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** An empty key is one too: it is refused, and not taken for none. */
function valueOf(name: string, given: readonly (Given | undefined)[]): unknown {
  return given.map((source) => source?.[name]).find((value) => value !== undefined && value !== null);
}
