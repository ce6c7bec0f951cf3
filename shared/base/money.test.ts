import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import mongoose, { Schema } from 'mongoose';
import {
  add,
  allocate,
  compare,
  currencyDigits,
  formatDecimal,
  formatMoney,
  isCurrency,
  money,
  MoneyInput,
  multiply,
  percentage,
  PositiveMoneyInput,
  subtract,
  sum,
  type Money,
} from './money.ts';
import { moneySchema } from '../store/money-schema.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const zmw = (amount: number) => money(amount, 'ZMW');

const anyAmount = fc.integer({ min: -MOST, max: MOST });
const anyCurrency = fc.constantFrom('ZMW', 'JPY', 'KWD');
const anyMoney = fc.record({ amount: anyAmount, currency: anyCurrency });

describe('amounts', () => {
  test('are added, subtracted, multiplied and compared within one currency', () => {
    expect(add(zmw(1250), zmw(50))).toEqual(zmw(1300));
    expect(subtract(zmw(50), zmw(1250))).toEqual(zmw(-1200));
    expect(multiply(zmw(333), 3)).toEqual(zmw(999));
    expect([compare(zmw(1), zmw(2)), compare(zmw(2), zmw(2)), compare(zmw(3), zmw(2))]).toEqual([-1, 0, 1]);
    expect(sum('JPY', [money(1, 'JPY'), money(2, 'JPY')])).toEqual(money(3, 'JPY'));
    expect(sum('JPY', [])).toEqual(money(0, 'JPY'));
  });

  test.each([
    ['add', () => add(zmw(1), money(1, 'JPY'))],
    ['subtract', () => subtract(zmw(1), money(1, 'JPY'))],
    ['compare', () => compare(zmw(1), money(1, 'JPY'))],
    ['sum', () => sum('ZMW', [zmw(1), money(1, 'JPY')])],
  ])('of two currencies are refused by %s', (_name, act) => {
    expect(act).toThrow(expect.objectContaining({ code: 'CURRENCY_MISMATCH', facts: { currencies: ['ZMW', 'JPY'] } }));
  });

  test.each([
    ['add', () => add(zmw(MOST), zmw(1))],
    ['subtract', () => subtract(zmw(-MOST), zmw(1))],
    ['multiply', () => multiply(zmw(MOST), 2)],
    ['multiply, far beyond', () => multiply(zmw(MOST), MOST)],
    ['percentage', () => percentage(zmw(MOST), 10_001)],
    ['sum', () => sum('ZMW', [zmw(MOST), zmw(MOST), zmw(-MOST)])],
    ['money', () => zmw(2 ** 53)],
    ['money without end', () => zmw(Number.POSITIVE_INFINITY)],
  ])('past what is exact are refused by %s', (_name, act) => {
    expect(act).toThrow(expect.objectContaining({ code: 'AMOUNT_TOO_LARGE' }));
  });

  test('are whole, of a known currency, and never a negative zero', () => {
    expect(() => zmw(1.5)).toThrow(TypeError);
    expect(() => zmw(Number.NaN)).toThrow(TypeError);
    expect(() => multiply(zmw(1), 0.5)).toThrow(TypeError);
    expect(() => money(1, 'XXQ')).toThrow(expect.objectContaining({ code: 'INVALID' }));
    expect(Object.is(multiply(zmw(-1), 0).amount, 0)).toBe(true);
  });

  test('know their digits', () => {
    expect(['ZMW', 'JPY', 'KWD'].map(currencyDigits)).toEqual([2, 0, 3]);
    expect([isCurrency('ZMW'), isCurrency('zmw'), isCurrency('__proto__'), isCurrency('MGA')]).toEqual([true, false, false, false]);
  });

  test.each([
    [zmw(1250), '12.50'],
    [zmw(5), '0.05'],
    [zmw(-5), '-0.05'],
    [zmw(0), '0.00'],
    [money(1250, 'JPY'), '1250'],
    [money(1250, 'KWD'), '1.250'],
    [zmw(MOST), '90071992547409.91'],
  ])('%j reads %s', (value, decimal) => {
    expect(formatDecimal(value)).toBe(decimal);
    expect(formatMoney(value)).toEqual({ amount: decimal, currency: value.currency });
  });
});

describe('percentage', () => {
  test.each([
    [10_000, 1600, 1600],
    [333, 5000, 167], // 166.5: half goes away from zero
    [-333, 5000, -167],
    [333, 4999, 166],
    [1, 4999, 0],
    [-1, 4999, 0],
    [1, 5000, 1],
    [100, -1500, -15],
    [100, 0, 0],
  ])('of %d by %d basis points is %d', (amount, basisPoints, part) => {
    expect(percentage(zmw(amount), basisPoints)).toEqual(zmw(part));
  });

  test('is never more than half a minor unit from the exact part', () => {
    fc.assert(
      fc.property(anyMoney, fc.integer({ min: -10_000, max: 10_000 }), (value, basisPoints) => {
        const off = BigInt(percentage(value, basisPoints).amount) * 10_000n - BigInt(value.amount) * BigInt(basisPoints);
        return off >= -5_000n && off <= 5_000n;
      }),
    );
  });

  test('refuses a fraction of a basis point', () => {
    expect(() => percentage(zmw(1), 0.5)).toThrow(TypeError);
  });
});

describe('allocate', () => {
  test.each([
    ['thirds', 100, [1, 1, 1], [34, 33, 33]],
    ['the largest remainder before the first part', 10, [1, 2, 4], [1, 3, 6]],
    ['nothing for a ratio of 0', 5, [0, 1, 1], [0, 3, 2]],
    ['equal parts when all ratios are 0', 5, [0, 0], [3, 2]],
    ['a negative amount as the mirror of the positive', -100, [1, 1, 1], [-34, -33, -33]],
    ['one part', 7, [9], [7]],
  ])('gives %s', (_case, amount, ratios, parts) => {
    expect(allocate(zmw(amount), ratios)).toEqual(parts.map(zmw));
  });

  const anyRatios = fc
    .array(fc.integer({ min: 0, max: MOST }), { minLength: 1, maxLength: 20 })
    .filter((ratios) => ratios.some((ratio) => ratio > 0));

  test('loses nothing, and no part is a whole minor unit away from its exact share', () => {
    fc.assert(
      fc.property(anyMoney, anyRatios, (value, ratios) => {
        const parts = allocate(value, ratios);
        const whole = ratios.reduce((total, ratio) => total + BigInt(ratio), 0n);

        expect(parts.reduce((total, part) => total + BigInt(part.amount), 0n)).toBe(BigInt(value.amount));
        parts.forEach((part, index) => {
          const off = BigInt(part.amount) * whole - BigInt(value.amount) * BigInt(ratios[index] ?? 0);
          expect(off < 0n ? -off : off).toBeLessThan(whole);
          expect(part.currency).toBe(value.currency);
        });
      }),
    );
  });

  test.each([[[]], [[-1, 2]], [[0.5, 0.5]], [[Number.NaN]]])('refuses the ratios %j', (ratios) => {
    expect(() => allocate(zmw(1), ratios)).toThrow(TypeError);
  });
});

describe('MoneyInput', () => {
  test.each([
    ['12.50', 'ZMW', 1250],
    ['12.5', 'ZMW', 1250],
    ['12', 'ZMW', 1200],
    ['-0', 'ZMW', 0],
    ['1250', 'JPY', 1250],
    ['0.001', 'KWD', 1],
    ['90071992547409.91', 'ZMW', MOST],
  ])('reads %s %s', (amount, currency, minor) => {
    expect(MoneyInput.parse({ amount, currency })).toEqual(money(minor, currency));
  });

  test.each([
    ['more digits than the currency has', { amount: '12.505', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['a fraction of a yen', { amount: '1.0', currency: 'JPY' }, 'amount', 'INVALID'],
    ['a negative amount', { amount: '-0.01', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['an amount that is not exact any more', { amount: '90071992547409.92', currency: 'ZMW' }, 'amount', 'AMOUNT_TOO_LARGE'],
    ['an exponent', { amount: '1e3', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['digits of another script', { amount: '١٢', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['spaces', { amount: ' 1', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['nothing', { amount: '', currency: 'ZMW' }, 'amount', 'INVALID'],
    ['an unknown currency', { amount: '1', currency: 'XXQ' }, 'currency', 'INVALID'],
    ['a currency in small letters', { amount: '1', currency: 'zmw' }, 'currency', 'INVALID'],
  ])('refuses %s', (_case, input, field, code) => {
    const { error } = MoneyInput.safeParse(input);

    expect(error?.issues).toEqual([expect.objectContaining({ path: [field], params: { code } })]);
  });

  test.each([
    [{ amount: 12.5, currency: 'ZMW' }],
    [{ amount: { $ne: null }, currency: 'ZMW' }],
    [{ amount: '9'.repeat(41), currency: 'ZMW' }],
    [null],
  ])('refuses %j', (input) => {
    expect(MoneyInput.safeParse(input).success).toBe(false);
  });

  test('reads back what formatMoney shows', () => {
    const positive = fc.record({ amount: fc.integer({ min: 0, max: MOST }), currency: anyCurrency });

    fc.assert(fc.property(positive, (value) => expect(MoneyInput.parse(formatMoney(value))).toEqual(value)));
  });

  test('wants more than 0 where it is positive', () => {
    expect(PositiveMoneyInput.safeParse({ amount: '0.00', currency: 'ZMW' }).error?.issues).toEqual([
      expect.objectContaining({ path: ['amount'] }),
    ]);
    expect(PositiveMoneyInput.parse({ amount: '0.01', currency: 'ZMW' })).toEqual(zmw(1));
  });
});

describe('moneySchema', () => {
  const Fee = mongoose.model('Fee', new Schema({ fee: { type: moneySchema, required: true } }));
  const faults = (fee: unknown) => new Fee({ fee }).validateSync()?.errors ?? {};

  test('stores whole amounts of known currencies', () => {
    const fee: Money = zmw(1250);

    expect(faults(fee)).toEqual({});
    expect(new Fee({ fee }).toObject().fee).toEqual(fee);
  });

  test.each([
    ['a fraction', { amount: 12.5, currency: 'ZMW' }, 'fee.amount'],
    ['an inexact number', { amount: 2 ** 53, currency: 'ZMW' }, 'fee.amount'],
    ['no amount', { currency: 'ZMW' }, 'fee.amount'],
    ['an unknown currency', { amount: 1, currency: 'XXQ' }, 'fee.currency'],
  ])('refuses %s', (_case, fee, path) => {
    expect(Object.keys(faults(fee))).toContain(path);
  });
});
