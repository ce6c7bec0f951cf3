import { Schema, type SchemaType } from 'mongoose';
import { dataCipher } from '../base/data-keys.ts';
import type { Cipher } from '../base/encryption.ts';

/*
 * Encrypted fields. Code writes plain text, and every path of a write (create, insertMany, update, bulkWrite) encrypts it. What is read is the
 * ciphertext, in documents and in lean results alike, until `decryptField` is called: a getter would put the secret into every log line, cached
 * value and response that takes a row as it is, and would not run on lean results.
 */

/** The stored value of a searchable field. */
export interface Searchable {
  text: string;
  hash: string;
}

/** Tells the hashes of `whereEncrypted` from plain text in a filter. */
const HASH = /^hash:[\w-]{43}$/;

export interface EncryptedOptions {
  /** Stores a keyed hash beside the ciphertext, for `whereEncrypted`. Equal values are then recognisable as equal to a reader of the store. */
  searchable?: boolean;
  /** Default: the path within its schema. Renaming a field keeps its first purpose. */
  purpose?: string;
  /** The secret of ciphertexts without a key id; default INTERNAL_SECRET. */
  unnamedSecret?: () => string;
}

/** A field of which a rotation knows: where its ciphertext stands and how it is read. */
export interface CiphertextField {
  cipher(): Cipher;
  searchable: boolean;
  /** Text that stands before a ciphertext; a stored text without it is plain. */
  prefix: string;
}

/** The library's way to say that a type of field has its own casts: values of filters are refused here, since none could ever match. */
class EncryptedText extends Schema.Types.Mixed {
  static override schemaName = 'EncryptedText' as 'Mixed';

  castForQuery($conditional: string | null, value: unknown): unknown {
    if (value === null || value === undefined || $conditional === '$exists' || $conditional === '$type') return value;
    if ([value].flat().every((each) => typeof each === 'string' && HASH.test(each))) return value;
    throw new Error(
      `The encrypted field ${this.path} cannot be filtered by value: use whereEncrypted, and encrypted({ searchable: true }).`,
    );
  }
}
Object.assign(Schema.Types, { EncryptedText });

/** A field of a mongoose schema that is stored encrypted: `taxNumber: encrypted({ searchable: true })`. Null stays null. */
export function encrypted(options: EncryptedOptions & { searchable: true }): { type: typeof Schema.Types.Mixed; default: null };
export function encrypted(options?: EncryptedOptions): { type: StringConstructor; default: null };
export function encrypted({ searchable = false, purpose, unnamedSecret }: EncryptedOptions = {}) {
  const field = (path: string): CiphertextField => ({
    cipher: () => dataCipher(purpose ?? `field ${path}`, unnamedSecret?.()),
    searchable,
    prefix: '',
  });
  return {
    type: EncryptedText as never,
    default: null,
    ciphertext: field,
    set(this: unknown, value: unknown, _before: unknown, { path }: SchemaType): unknown {
      if (value === null || value === undefined) return value;
      if (typeof value !== 'string') throw new Error(`The encrypted field ${path} takes text.`);
      return encryptValue(field(path), value);
    },
  };
}

/** Options of a text field that holds what a cipher made, behind a prefix, among plain texts: a rotation then includes it. */
export const holdsCiphertext = (purpose: string, prefix: string) => ({
  ciphertext: (): CiphertextField => ({ cipher: () => dataCipher(purpose), searchable: false, prefix }),
});

export const encryptValue = ({ cipher, searchable, prefix }: CiphertextField, text: string): string | Searchable =>
  searchable ? { text: cipher().encrypt(text), hash: `hash:${cipher().hash(text)}` } : prefix + cipher().encrypt(text);

/** The plain text of a stored value: `decryptField(ctx.models.Company, 'taxNumber', company.taxNumber)`. */
export function decryptField(model: HasSchema, path: string, stored: string | Searchable): string;
export function decryptField(model: HasSchema, path: string, stored: string | Searchable | null | undefined): string | null;
export function decryptField(model: HasSchema, path: string, stored: string | Searchable | null | undefined) {
  if (stored === null || stored === undefined) return null;
  return requireField(model, path)
    .cipher()
    .decrypt(typeof stored === 'string' ? stored : stored.text);
}

/** A filter for rows whose searchable field equals `text`. Declare `schema.index({ 'taxNumber.hash': 1 })` for it. */
export function whereEncrypted(model: HasSchema, path: string, text: string): Record<string, { $in: string[] }> {
  const field = requireField(model, path);
  if (!field.searchable) throw new Error(`The encrypted field ${path} is not searchable: declare encrypted({ searchable: true }).`);
  return {
    [`${path}.hash`]: {
      $in: field
        .cipher()
        .hashes(text)
        .map((hash) => `hash:${hash}`),
    },
  };
}

function requireField({ schema }: HasSchema, path: string): CiphertextField {
  const field = fieldOf(schema.path(path) as SchemaType | undefined);
  if (!field) throw new Error(`${path} is no encrypted field.`);
  return field;
}

/** A model of whatever type. */
interface HasSchema {
  schema: { path(name: string): unknown };
}

type Declared = { ciphertext?: (path: string) => CiphertextField };

const fieldOf = (type: SchemaType | undefined): CiphertextField | undefined =>
  (type?.options as Declared | undefined)?.ciphertext?.(type!.path);

/** All fields of a schema that hold ciphertexts, by full path. Refuses one within an array, which a rotation could not change safely. */
export function ciphertextFields(schema: Schema, parent = ''): Map<string, CiphertextField> {
  const found = new Map<string, CiphertextField>();
  schema.eachPath((path, type) => {
    const field = fieldOf(type);
    if (field) found.set(parent + path, field);
    const inner = (type as { schema?: Schema }).schema;
    const within = inner ? ciphertextFields(inner, `${parent}${path}.`) : new Map<string, CiphertextField>();
    if (within.size > 0 && type.instance === 'Array')
      throw new Error(`${[...within.keys()][0]}: an encrypted field may not stand in an array.`);
    for (const [each, value] of within) found.set(each, value);
  });
  return found;
}
