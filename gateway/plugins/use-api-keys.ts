import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { audiencesOf } from '#shared/graph-contracts/graph-contract.ts';
import { Problem } from '#shared/base/errors.ts';

/** Header, or connection parameter, that selects a graph contract. It can only narrow the access of a caller. */
export const CONTRACT_HEADER = 'x-soko-contract';
/** Header, or connection parameter, that holds the API key. */
export const API_KEY_HEADER = 'x-soko-key';

const Key = z.strictObject({
  /** Of the program that has the key. */
  name: z.string().min(1),
  /** Only the holder knows the key itself. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/i, 'must be the SHA-256 of the key, in hexadecimal'),
  /** The graph contract of the holder. Without one, the holder gets the whole graph. */
  contract: z.string().min(1).optional(),
  /** The holder may read the schema of its contract, in production too. */
  introspection: z.boolean().default(false),
});

const isEachOnce = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** Content of a file of API keys. */
export const ApiKeys = z
  .array(Key)
  .min(1)
  .refine((keys) => isEachOnce(keys.map(({ name }) => name)), 'names must differ')
  .refine((keys) => isEachOnce(keys.map(({ sha256 }) => sha256.toLowerCase())), 'keys must differ');

export type ApiKey = z.output<typeof Key>;

/** What a caller may access, independent of its viewer. */
export interface Access {
  /** Name of the API key. */
  holder: string | undefined;
  contract: string | undefined;
  /** Whether an anonymous viewer may read the schema. */
  readsSchema: boolean;
}

type Given = Readonly<Record<string, unknown>>;

/**
 * The access of a caller by its headers (lower-case names) or similar sources; the first source with a value counts. Throws a Problem when
 * the access is refused.
 */
export type UseApiKeys = (...given: readonly (Given | undefined)[]) => Access;

interface ApiKeysOptions {
  /** Without any, keys are ignored. */
  keys?: readonly ApiKey[] | undefined;
  /** Refuses callers without a key. */
  isRequired?: boolean | undefined;
}

/**
 * A key decides on the contract of its holder. A caller without a key gets the whole graph, and may narrow it. Each key is compared with
 * every known hash, so that timing reveals nothing.
 */
export function useApiKeys({ keys = [], isRequired = false }: ApiKeysOptions): UseApiKeys {
  const known = keys.map((key) => ({ ...key, digest: Buffer.from(key.sha256, 'hex') }));

  const holderOf = (key: unknown): ApiKey => {
    const digest = createHash('sha256').update(String(key)).digest();
    const [found] = known.filter((each) => timingSafeEqual(each.digest, digest));
    if (!found) throw new Problem('UNAUTHENTICATED', 'The API key is not valid.');
    return found;
  };

  return (...given) => {
    const named = textOf(valueOf(CONTRACT_HEADER, given));
    const key = known.length > 0 ? valueOf(API_KEY_HEADER, given) : undefined;
    if (key === undefined && isRequired) throw new Problem('UNAUTHENTICATED', `Show an API key in ${API_KEY_HEADER}.`);
    if (key === undefined) return { holder: undefined, contract: named, readsSchema: false };
    const { name, contract = named, introspection } = holderOf(key);
    if (named !== undefined && named !== contract) throw new Problem('FORBIDDEN', 'The API key is for another contract.');
    return { holder: name, contract, readsSchema: introspection };
  };
}

/** Throws when a key names a contract that the supergraph does not have. */
export function checkContracts(keys: readonly ApiKey[], supergraphSdl: string): void {
  const bound = keys.filter(({ contract }) => contract !== undefined);
  if (bound.length === 0) return;
  const audiences: (string | undefined)[] = audiencesOf(supergraphSdl);
  const lost = bound.find(({ contract }) => !audiences.includes(contract));
  if (lost) throw new Error(`The key of ${lost.name} is for the contract ${lost.contract}, which the supergraph does not have.`);
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** An empty key is an invalid key, not a missing one. */
function valueOf(name: string, given: readonly (Given | undefined)[]): unknown {
  return given.map((source) => source?.[name]).find((value) => value !== undefined && value !== null);
}
