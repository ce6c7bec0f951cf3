import type { ClientSession, Model, mongo } from 'mongoose';

/** Minor units, exact at any size. `money(Number(amount), currency)` is for what is known to be small. */
export interface MoneySum {
  amount: bigint;
  currency: string;
}

interface SumOptions {
  filter: Record<string, unknown>;
  /** Path of the Money in a row: `total`. */
  at: string;
}

/**
 * The sum of a Money over all rows of a filter, one for each currency, none where there is no row. The store adds decimals of 34 digits: numbers
 * would be rounded past 2^53 without a word. A filter needs its index as any query does.
 */
export async function sumMoney(
  ctx: { session?: ClientSession | undefined },
  model: Model<any>,
  { filter, at }: SumOptions,
): Promise<MoneySum[]> {
  // By way of a long: a double becomes a decimal of 15 digits only.
  const amount = { $sum: { $toDecimal: { $toLong: `$${at}.amount` } } };
  const sums = await model
    .aggregate<{ _id: string; amount: mongo.Decimal128 }>([
      { $match: model.find().cast(model, { ...filter }) as object },
      { $group: { _id: `$${at}.currency`, amount } },
      { $sort: { _id: 1 } },
    ])
    .session(ctx.session ?? null);
  return sums.map(({ _id: currency, amount: sum }) => ({ amount: exact(sum), currency }));
}

function exact(sum: mongo.Decimal128): bigint {
  const [, sign = '', digits = '', exponent = '0'] = /^(-?)(\d+)(?:E\+(\d+))?$/.exec(String(sum)) ?? [];
  if (!digits) throw new TypeError(`The sum ${String(sum)} is no whole number of minor units`);
  return BigInt(sign + digits) * 10n ** BigInt(exponent);
}
