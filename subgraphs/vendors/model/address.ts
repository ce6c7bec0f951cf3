import { Schema } from 'mongoose';

const pointSchema = new Schema({ longitude: { type: Number, required: true }, latitude: { type: Number, required: true } }, { _id: false });

export const addressSchema = new Schema(
  {
    line1: { type: String, required: true },
    line2: { type: String, default: null },
    city: { type: String, required: true },
    region: { type: String, default: null },
    postalCode: { type: String, default: null },
    country: { type: String, required: true },
    location: { type: pointSchema, default: null },
  },
  { _id: false },
);
