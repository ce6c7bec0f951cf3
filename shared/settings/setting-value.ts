import { dataCipher } from '../base/data-keys.ts';
import { validationMessage } from '../base/validation-messages.ts';
import { holdsCiphertext } from '../store/encrypted.ts';
import type { Setting } from './definitions.ts';

/** JSON text never begins like this. */
const ENCRYPTED = 'enc:';
const PURPOSE = 'settings';

// Created on demand: few settings are secrets. All processes share the secret, since any of them may read the value.
const cipher = () => dataCipher(PURPOSE);

/** The text that is stored for a value. */
export const encodeValue = (json: string, encrypted: boolean): string => (encrypted ? ENCRYPTED + cipher().encrypt(json) : json);

/** For the options of a field that holds stored values: a rotation of keys includes it. */
export const SETTING_CIPHERTEXT = holdsCiphertext(PURPOSE, ENCRYPTED);

export const isEncryptedText = (stored: string): boolean => stored.startsWith(ENCRYPTED);

/** The JSON text of a stored one. Throws when it was encrypted with another secret. */
export const decodeValue = (stored: string): string =>
  isEncryptedText(stored) ? cipher().decrypt(stored.slice(ENCRYPTED.length)) : stored;

export type ReadValue = { value: unknown } | { fault: string };

/** A stored value as its owner's code wants it, or why it cannot be used. The fault never holds the value. */
export function readValue({ schema }: Pick<Setting, 'schema'>, stored: string): ReadValue {
  try {
    const parsed = schema.safeParse(JSON.parse(decodeValue(stored)));
    if (parsed.success) return { value: parsed.data };
    return { fault: parsed.error.issues.map(({ code, path }) => `${code} at ${path.join('.') || 'the value'}`).join('; ') };
  } catch {
    return { fault: 'it cannot be read: the secret it was encrypted with is another one, or it is no JSON' };
  }
}

/** A setting's default as an environment variable replaces it: JSON, or plain text. */
export function readVariable({ schema }: Pick<Setting, 'schema'>, text: string) {
  let given: unknown = text;
  try {
    given = JSON.parse(text);
  } catch {
    // Plain text.
  }
  const parse = (value: unknown) => schema.safeParse(value, { error: validationMessage });
  const parsed = parse(given);
  if (parsed.success) return parsed;
  // A text of digits is meant as a text where the setting is one.
  const asText = parse(text);
  return asText.success ? asText : parsed;
}
