import { pino, type DestinationStream, type Logger } from 'pino';
import { readLogLevel } from './env.ts';

export type Log = Logger;

interface LogOptions {
  level?: string;
  /** Where the lines go; standard error when not given. */
  stream?: DestinationStream;
}

const HIDDEN = '[hidden]';
const DEEPEST = 8;

/** Keys by how they end, letters only: `newPassword`, `x-internal-key` and `refresh_token` are caught as well. */
const SECRET_ENDINGS =
  /(password|passphrase|token|secret|authorization|cookie|phone|phonenumber|email|emailaddress|apikey|internalkey|sokokey|privatekey|recoverycodes?|cardnumber|cvv|cvc|otp)$/;
const SECRET_NAMES = new Set(['pin', 'pins', 'deliverypin', 'newpin', 'tokens', 'msisdn']);

/**
 * Lines of JSON on standard error. Passwords, tokens, PINs, phones and e-mail addresses are hidden at any depth, in errors too.
 * Give each request `log.child({ correlationId })`.
 */
export function createLog(name: string, options: LogOptions = {}): Log {
  const settings = {
    name,
    level: options.level ?? readLogLevel(process.env),
    formatters: { log: hideRecord, level: (label: string) => ({ level: label }) },
    serializers: { err: hideError, error: hideError, cause: hideError },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  // Written at once: the line that explains a crash must not be lost in a buffer.
  const log = pino(settings, options.stream ?? pino.destination({ dest: 2, sync: true }));
  // pino has no hook for what a child binds: children inherit this method, so one place is enough.
  const plain = Object.getPrototypeOf(log) as Log;
  log.child = function hiding(this: Log, bindings: Record<string, unknown>, ...rest: []) {
    return plain.child.call(this, hideRecord(bindings), ...rest);
  } as Log['child'];
  return log;
}

const hideError = (error: unknown): unknown => (error instanceof Error ? hide(pino.stdSerializers.err(error), 0) : error);

const hideRecord = (record: Record<string, unknown>): Record<string, unknown> => hide(record, 0) as Record<string, unknown>;

function hide(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Error) return value;
  if (depth === DEEPEST) return '[deeper]';
  if (Array.isArray(value)) return value.map((entry) => hide(entry, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, isSecret(key) ? HIDDEN : hide(entry, depth + 1)]));
}

function isSecret(key: string): boolean {
  const letters = key.toLowerCase().replaceAll(/[^a-z]/g, '');
  return SECRET_ENDINGS.test(letters) || SECRET_NAMES.has(letters);
}
