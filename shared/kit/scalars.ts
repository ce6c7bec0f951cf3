import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';
import { z } from 'zod';
import { decimal, email, phone, webAddress } from '../base/input.ts';
import { isCurrency } from '../base/money.ts';

const isoTime = z.iso.datetime({
  offset: true,
  error: 'must be an ISO 8601 time with its zone, such as 2026-03-01T08:30:00Z',
});

const currencyCode = z.string().refine(isCurrency, 'must be a currency code of ISO 4217, such as ZMW');

const cursor = z.string().regex(/^[\x21-\x7E]{1,8000}$/, 'must be a cursor that an answer gave');

/** A time inside is a Date; outside it is ISO 8601 in UTC. */
const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  parseValue: readTime,
  parseLiteral: (node) => readTime(node.kind === Kind.STRING ? node.value : undefined),
  serialize(value) {
    // Values that crossed a process border or a cache are ISO text again.
    const time = typeof value === 'string' ? readTime(value) : value;
    if (time instanceof Date && !Number.isNaN(time.getTime())) return time.toISOString();
    throw new GraphQLError('DateTime cannot show a value that is not a time.');
  },
});

/** Resolvers of every scalar the kit declares. */
export const scalars = {
  DateTime,
  Decimal: textScalar('Decimal', decimal()),
  CurrencyCode: textScalar('CurrencyCode', currencyCode),
  PhoneNumber: textScalar('PhoneNumber', phone()),
  EmailAddress: textScalar('EmailAddress', email()),
  URL: textScalar('URL', webAddress()),
  Cursor: textScalar('Cursor', cursor),
};

function textScalar(name: string, schema: z.ZodType<string>) {
  const parseValue = (value: unknown) => read(name, schema, value);
  return new GraphQLScalarType<string, string>({
    name,
    parseValue,
    parseLiteral: (node) => parseValue(node.kind === Kind.STRING ? node.value : undefined),
    serialize(value) {
      // What is stored was checked when it came in; old rows must stay readable.
      if (typeof value === 'string') return value;
      throw new GraphQLError(`${name} cannot show a value that is not text.`);
    },
  });
}

function readTime(value: unknown): Date {
  const time = new Date(read('DateTime', isoTime, value));
  // 0000 and the like pass the pattern, but no store and no client agrees on them.
  if (time.getUTCFullYear() >= 1) return time;
  throw refusal('DateTime must be in the year 1 or later.');
}

function read(name: string, schema: z.ZodType<string>, value: unknown): string {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const reason = typeof value === 'string' ? result.error.issues[0]?.message : 'must be text';
  throw refusal(`${name} ${reason}.`);
}

/** Of a value that a client sent, wherever it stood in its request. */
const refusal = (message: string): GraphQLError => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
