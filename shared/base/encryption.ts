import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** What a key id consists of. base64url has no dot, so a ciphertext without an id has none. */
const NAMED = /^([a-z0-9-]{1,20})\.(.+)$/;

/** Secrets of at least 32 characters. All of them decrypt; one encrypts. */
export interface DataKeys {
  byId: Readonly<Record<string, string>>;
  /** The id of the key that encrypts; absent: the key without an id does. */
  currentId: string | undefined;
  /** For ciphertexts without a key id. */
  unnamed: string;
}

export interface Cipher {
  /** `<key id>.<nonce><tag><ciphertext>`, in base64url behind the dot. */
  encrypt(text: string): string;
  /** Throws when the key is not there, the text was encrypted for another purpose, or it was altered. */
  decrypt(encrypted: string): string;
  /** False for a ciphertext that a rotation must encrypt again. */
  isCurrent(encrypted: string): boolean;
  /** Keyed hash of a text for equality search. */
  hash(text: string): string;
  /** The hashes of a text under all keys: rows of a rotation that is under way have either. */
  hashes(text: string): string[];
}

/** Derives one key per purpose from a secret of at least 32 characters. */
export const deriveKey = (purpose: string, secret: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES));

/** The key id of a ciphertext; undefined for one from before there were ids. */
const keyIdOf = (encrypted: string): string | undefined => NAMED.exec(encrypted)?.[1];

/** Encrypts text that must be readable again but must not stand in plain text in a database or on a queue. */
export function createCipher(purpose: string, { byId, currentId, unnamed }: DataKeys): Cipher {
  const secretOf = (id: string | undefined): string => {
    const secret = id === undefined ? unnamed : byId[id];
    if (secret === undefined) throw new Error(`A text is encrypted with the key ${id}, which DATA_KEYS does not hold. Add the key again.`);
    return secret;
  };
  const hashWith = (id: string | undefined, text: string): string =>
    createHmac('sha256', deriveKey(`${purpose} search`, secretOf(id)))
      .update(text)
      .digest('base64url');
  return {
    encrypt: (text) => (currentId === undefined ? '' : `${currentId}.`) + encryptText(deriveKey(purpose, secretOf(currentId)), text),
    decrypt(encrypted) {
      const [, id, rest] = NAMED.exec(encrypted) ?? [undefined, undefined, encrypted];
      return decryptText(deriveKey(purpose, secretOf(id)), rest!);
    },
    isCurrent: (encrypted) => keyIdOf(encrypted) === currentId,
    hash: (text) => hashWith(currentId, text),
    hashes: (text) => [undefined, ...Object.keys(byId)].map((id) => hashWith(id, text)),
  };
}

function encryptText(key: Buffer, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString('base64url');
}

function decryptText(key: Buffer, encrypted: string): string {
  const bytes = Buffer.from(encrypted, 'base64url');
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
}
