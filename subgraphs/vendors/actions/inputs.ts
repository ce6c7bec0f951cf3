import { z } from 'zod';
import { country, email, list, longText, phone, text } from '#shared/base/input.ts';
import { isCurrency } from '#shared/base/money.ts';
import { pictureAddress } from '#shared/base/public-address.ts';
import { isMisleading, nameKeys } from '../names.ts';
import { DAYS, inOrder, overlapIn } from '../opening-hours.ts';
import { addDays, isDate, zoneOf } from '../time-zone.ts';

const MAX_INTERVALS = 70;
const MAX_CLOSURES = 100;
const MAX_CLOSURE_DAYS = 366;

export const storeName = text({ min: 2, max: 80 }).pipe(
  z
    .string()
    .refine((name) => nameKeys(name).length > 0, 'must have a letter or a digit')
    .refine((name) => !isMisleading(name), 'must not be the name of the operator, nor a web address'),
);
export const description = longText({ max: 5_000 }).nullish();
export const reason = longText({ min: 1, max: 1_000 });
export const comment = longText({ min: 1, max: 5_000 });
export const currency = z.string().refine(isCurrency, 'must be a currency code of ISO 4217, such as ZMW');
export const picture = pictureAddress().nullish();
export const contactEmail = email().nullish();
export const contactPhone = phone().nullish();

export const timeZone = z.string().transform((name, ctx) => {
  const zone = zoneOf(name);
  if (zone) return zone;
  ctx.addIssue({ code: 'custom', message: 'must be an IANA time zone, such as Africa/Lusaka' });
  return z.NEVER;
});

export const address = z
  .object({
    line1: text({ min: 1, max: 200 }),
    line2: text({ max: 200 }).nullish(),
    city: text({ min: 1, max: 100 }),
    region: text({ max: 100 }).nullish(),
    postalCode: text({ max: 20 }).nullish(),
    country: country(),
    location: z
      .object({
        longitude: z.number().min(-180, 'must be from -180 to 180').max(180, 'must be from -180 to 180'),
        latitude: z.number().min(-90, 'must be from -90 to 90').max(90, 'must be from -90 to 90'),
      })
      .nullish(),
  })
  .nullish();

const HOURS = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

const interval = z
  .object({
    day: z.enum(DAYS),
    opens: z.string().regex(HOURS, 'must be a time such as 08:00'),
    closes: z.string().refine((time) => HOURS.test(time) || time === '24:00', 'must be a time such as 17:30, or 24:00'),
  })
  .refine(({ opens, closes }) => opens !== closes, {
    path: ['closes'],
    message: 'must differ from when it opens; a whole day is 00:00 to 24:00',
  });

/** A whole week, in order, without overlaps: also none from one day into the next. */
export const openingHours = list(interval, { max: MAX_INTERVALS })
  .superRefine((intervals, ctx) => {
    const overlap = overlapIn(intervals);
    if (overlap) ctx.addIssue({ code: 'custom', path: [overlap[1]], message: `overlaps with entry ${overlap[0]}` });
  })
  .transform(inOrder);

const day = z.string().refine(isDate, 'must be a day of the calendar, such as 2026-12-24');

const closure = z
  .object({ from: day, to: day, note: text({ max: 200 }).nullish() })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'must not be before the first day' })
  .refine(({ from, to }) => !isDate(from) || to <= addDays(from, MAX_CLOSURE_DAYS), {
    path: ['to'],
    message: 'must be at most a year after the first day',
  });

export const closures = list(closure, { max: MAX_CLOSURES }).transform((all) => all.toSorted((a, b) => (a.from < b.from ? -1 : 1)));

/** The fields a caller named; `null` means to empty one. */
export const given = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
