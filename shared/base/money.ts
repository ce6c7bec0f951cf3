import { dinero, halfAwayFromZero, multiply as scaled, toDecimal, toSnapshot, transformScale } from 'dinero.js/bigint';
import * as currencies from 'dinero.js/bigint/currencies';
import { z } from 'zod';
import { Problem } from './errors.ts';

/** Whole minor units: 1250 is 12.50 kwacha and 1,250 yen. Never a float. */
export interface Money {
  amount: number;
  currency: string;
}

// Two currencies do not divide by ten; a decimal text cannot say their amounts.
const KNOWN = new Map(
  Object.values(currencies)
    .filter(({ base }) => base === 10n)
    .map((currency) => [currency.code as string, currency]),
);

export const isCurrency = (code: string): boolean => KNOWN.has(code);

/** How many digits stand behind the point: 2 for ZMW, 0 for JPY, 3 for KWD. */
export const currencyDigits = (code: string): number => Number(currencyOf(code).exponent);

/** Throws AMOUNT_TOO_LARGE past 2^53 - 1, where numbers stop being exact. */
export function money(amount: number, currency: string): Money {
  currencyOf(currency);
  if (Math.abs(amount) > Number.MAX_SAFE_INTEGER) throw tooLarge();
  if (!Number.isInteger(amount)) throw new TypeError(`${amount} is not a whole number of minor units`);
  // Adding 0 turns a negative zero, which JSON and MongoDB would keep, into 0.
  return { amount: amount + 0, currency };
}

export const add = (a: Money, b: Money): Money => money(a.amount + same(a, b).amount, a.currency);

export const subtract = (a: Money, b: Money): Money => money(a.amount - same(a, b).amount, a.currency);

export function multiply(value: Money, quantity: number): Money {
  if (!Number.isSafeInteger(quantity)) throw new TypeError(`${quantity} is not a whole quantity`);
  return money(value.amount * quantity, value.currency);
}

/** A part of an amount; 10,000 basis points are the whole. Half a minor unit is rounded away from zero. */
export function percentage(value: Money, basisPoints: number): Money {
  if (!Number.isSafeInteger(basisPoints)) throw new TypeError(`${basisPoints} is not a whole number of basis points`);
  const currency = currencyOf(value.currency);
  const exact = scaled(dinero({ amount: BigInt(value.amount), currency }), { amount: BigInt(basisPoints), scale: 4n });
  return fromBig(toSnapshot(transformScale(exact, currency.exponent, halfAwayFromZero)).amount, value.currency);
}

/**
 * Splits an amount without losing a minor unit: each part is its exact share rounded down, and what is left goes one by one to the
 * largest remainders, the earlier part first among equals. Ratios that are all 0 count as equal.
 */
export function allocate(value: Money, ratios: readonly number[]): Money[] {
  if (ratios.length === 0 || !ratios.every((ratio) => Number.isSafeInteger(ratio) && ratio >= 0)) {
    throw new TypeError('The ratios of a split are whole numbers from 0, at least one');
  }
  const weights = ratios.some((ratio) => ratio > 0) ? ratios.map(BigInt) : ratios.map(() => 1n);
  const whole = weights.reduce((sum, weight) => sum + weight);
  const sign = value.amount < 0 ? -1n : 1n;
  const amount = BigInt(value.amount) * sign;
  const parts = weights.map((weight, index) => ({
    index,
    share: (amount * weight) / whole,
    remainder: (amount * weight) % whole,
  }));
  const left = Number(parts.reduce((rest, { share }) => rest - share, amount));
  const byRemainder = parts.toSorted((a, b) => Number(b.remainder > a.remainder) - Number(b.remainder < a.remainder));
  for (const part of byRemainder.slice(0, left)) part.share += 1n;
  return parts.map(({ share }) => fromBig(share * sign, value.currency));
}

export const compare = (a: Money, b: Money): -1 | 0 | 1 => Math.sign(a.amount - same(a, b).amount) as -1 | 0 | 1;

/** The currency is named because an empty list has none. */
export const sum = (currency: string, values: readonly Money[]): Money => values.reduce(add, money(0, currency));

/** `12.50`: always all digits of the currency, never a thousands separator. */
export const formatDecimal = ({ amount, currency }: Money): string =>
  toDecimal(dinero({ amount: BigInt(amount), currency: currencyOf(currency) }));

/** What GraphQL's `Money` shows. */
export const formatMoney = (value: Money) => ({ amount: formatDecimal(value), currency: value.currency });

/** GraphQL's `MoneyInput` as Money, from 0. More digits than the currency has are refused, not rounded. */
export const MoneyInput = z
  .object({ amount: z.string().max(40), currency: z.string().max(3) })
  .transform(({ amount, currency }, ctx): Money => {
    const refuse = (field: string, message: string, code = 'INVALID') => {
      ctx.addIssue({ code: 'custom', path: [field], message, params: { code } });
      return z.NEVER;
    };
    const known = KNOWN.get(currency);
    if (!known) return refuse('currency', 'is not a currency code that is known here');
    const [, minus, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
    if (whole === undefined) return refuse('amount', 'must be a decimal number such as 12.50');
    const digits = Number(known.exponent);
    if (fraction.length > digits)
      return refuse('amount', digits === 0 ? `must be a whole number in ${currency}` : `has more than ${digits} digits behind the point`);
    const minor = BigInt(whole + fraction.padEnd(digits, '0'));
    if (minor > BigInt(Number.MAX_SAFE_INTEGER)) return refuse('amount', 'is too large', 'AMOUNT_TOO_LARGE');
    if (minus && minor > 0n) return refuse('amount', 'must not be negative');
    return money(Number(minor), currency);
  });

export const PositiveMoneyInput = MoneyInput.refine(({ amount }) => amount > 0, {
  path: ['amount'],
  message: 'must be more than 0',
});

const tooLarge = () => new Problem('AMOUNT_TOO_LARGE', 'The amount is too large to be counted exactly.');

function currencyOf(code: string) {
  const currency = KNOWN.get(code);
  if (!currency) throw new Problem('INVALID', 'This currency is not known here.', { currency: code });
  return currency;
}

/** The second amount, once it is certain that both are of one currency. */
function same(a: Money, b: Money): Money {
  if (a.currency === b.currency) return b;
  throw new Problem('CURRENCY_MISMATCH', 'Amounts of different currencies cannot be combined.', {
    currencies: [a.currency, b.currency],
  });
}

function fromBig(amount: bigint, currency: string): Money {
  if (amount > BigInt(Number.MAX_SAFE_INTEGER) || amount < BigInt(Number.MIN_SAFE_INTEGER)) throw tooLarge();
  return money(Number(amount), currency);
}
