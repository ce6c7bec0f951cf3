import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { readLogLevel } from './env.ts';
import { createSampler } from './log-sampling.ts';

export type Log = Logger;

interface LogOptions {
  level?: string;
  /** Where the lines go; standard error when not given. */
  stream?: DestinationStream;
}

const WARN = 40;
const HIDDEN = '[hidden]';
const DEEPEST = 8;

/** Keys by how they end, letters only: `newPassword`, `x-internal-key` and `refresh_token` are caught as well. */
const SECRET_ENDINGS =
  /(password|passphrase|token|secret|authorization|cookie|phone|phonenumber|email|emailaddress|apikey|internalkey|sokokey|privatekey|recoverycodes?|cardnumber|cvv|cvc|otp)$/;
const SECRET_NAMES = new Set(['pin', 'pins', 'deliverypin', 'newpin', 'tokens', 'msisdn']);

/**
 * Lines of JSON on standard error. Passwords, tokens, PINs, phones and e-mail addresses are hidden at any depth, in errors too. Equal warnings
 * are written once a second, with a count: `repeated` is how many there were since the last line.
 * Give each request `log.child({ correlationId })`.
 */
export function createLog(name: string, options: LogOptions = {}): Log {
  const sample = createSampler();
  const settings: LoggerOptions = {
    name,
    hooks: {
      logMethod(args, method, level) {
        if (level !== WARN) return method.apply(this, args);
        const { facts, message } = partsOf(args);
        sample(keyOf(this.bindings(), facts, message), (repeated) =>
          method.apply(this, repeated === 0 ? args : [{ ...facts, repeated }, message]),
        );
      },
    },
    level: options.level ?? readLogLevel(process.env),
    formatters: { log: hideSecrets, level: (label: string) => ({ level: label }) },
    serializers: { err: hideError, error: hideError, cause: hideError },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  // Written at once: the line that explains a crash must not be lost in a buffer.
  const log = pino(settings, options.stream ?? pino.destination({ dest: 2, sync: true }));
  // pino has no hook for what a child binds: children inherit this method, so one place is enough.
  const plain = Object.getPrototypeOf(log) as Log;
  log.child = function hiding(this: Log, bindings: Record<string, unknown>, ...rest: []) {
    return plain.child.call(this, hideSecrets(bindings), ...rest);
  } as Log['child'];
  return log;
}

const partsOf = ([first, second]: readonly unknown[]): { facts: Record<string, unknown>; message: string } =>
  typeof first === 'object' && first !== null
    ? { facts: first as Record<string, unknown>, message: textOf(second) }
    : { facts: {}, message: textOf(first) };

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What makes two warnings equal: not the request that they are about. */
function keyOf(bindings: Record<string, unknown>, { subgraph, err, reason }: Record<string, unknown>, message: string): string {
  const { message: text, code } = (err ?? {}) as { message?: unknown; code?: unknown };
  return JSON.stringify([message, subgraph ?? bindings['subgraph'], reason, text, code]);
}

const hideError = (error: unknown): unknown => (error instanceof Error ? hide(pino.stdSerializers.err(error), 0) : error);

/** A copy in which the values of passwords, tokens, PINs, phones and e-mail addresses are hidden, at any depth. */
export const hideSecrets = (record: Record<string, unknown>): Record<string, unknown> => hide(record, 0) as Record<string, unknown>;

function hide(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Error) return value;
  if (depth === DEEPEST) return '[deeper]';
  if (Array.isArray(value)) return value.map((entry) => hide(entry, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, isSecretName(key) ? HIDDEN : hide(entry, depth + 1)]));
}

/** True for names under which values are hidden. */
export function isSecretName(key: string): boolean {
  const letters = key.toLowerCase().replaceAll(/[^a-z]/g, '');
  return SECRET_ENDINGS.test(letters) || SECRET_NAMES.has(letters);
}
