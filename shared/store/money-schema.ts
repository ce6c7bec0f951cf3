import { Schema } from 'mongoose';
import { isCurrency } from '../base/money.ts';

/* Beside money.ts, so that who only reads and counts amounts does without mongoose. */

/** For mongoose: `fee: { type: moneySchema, required: true }`. Only whole amounts of known currencies are stored. */
export const moneySchema = new Schema(
  {
    amount: {
      type: Number,
      required: true,
      validate: { validator: Number.isSafeInteger, message: 'An amount is a whole number of minor units' },
    },
    currency: { type: String, required: true, validate: { validator: isCurrency, message: 'A currency is one that is known here' } },
  },
  { _id: false },
);
