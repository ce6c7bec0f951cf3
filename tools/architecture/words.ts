import type { Source } from './source.ts';

/** What the marketplace is about. In `shared/` and `gateway/` any of these, alone or within a name, is in the wrong place. */
const DOMAIN_WORDS = new Set(
  `account basket buyer cart catalog category checkout commission coupon courier customer discount inventory invoice loyalty marketplace
  merchant payment payout price pricing product promotion refund reservation seller settlement shipment shipping shopper sku stock storefront
  supplier vendor voucher wallet warehouse`.split(/\s+/),
);

/** Names in which a word of the domain means something else. */
const TECHNICAL = new Set([
  'take into account',
  'takes into account',
  'taken into account',
  'account for',
  'accounts for',
  'on account of',
]);

/*
 * `order` is also how things follow each other, so it counts only where it names the thing: within a longer name (`orderId`, `place-order`,
 * `ORDER_STATUS`), in the plural, with a capital letter in a name or a text (`Order.Created`), and before a colon as part of a key
 * (`order:17`). "In order to", "the order of keys", `{ order: 1 }` and the names below are free.
 */
const ORDERLY = /^(sort|key|field|row|commit|link|port|by|in|of|re|un)_?orders?$|^orders?_?(by|of|ed|ing|ly)$/i;
const THING_IN_TEXT = /\bOrder(?! [a-z])\b|\border:(?=[^\s,)\]}])|\borders\b(?! (?:them|it|the|by|only)\b)/g;

/** Each word of the domain in these texts, as `file:line: the word, in what`. Names are taken apart: `vendorId` holds `vendor`. */
export function domainWords(sources: readonly Source[]): string[] {
  return sources.flatMap(({ file, text }) =>
    text.split('\n').flatMap((line, index) => [...new Set(wordsOf(line))].map((found) => `${file}:${index + 1}: ${found}`)),
  );
}

function wordsOf(line: string): string[] {
  const plain = [...TECHNICAL].reduce((rest, phrase) => rest.replaceAll(phrase, ''), line);
  const names = plain.match(/[A-Za-z]+(?:[_-][A-Za-z]+)*/g) ?? [];
  return [
    ...names.flatMap((name) => partsOf(name).flatMap((part) => (DOMAIN_WORDS.has(singular(part)) ? [inName(singular(part), name)] : []))),
    ...names.filter((name) => isOrderThing(name)).map((name) => inName('order', name)),
    ...(plain.match(THING_IN_TEXT) ?? []).map((found) => `"order" as in ${found}`),
  ];
}

const inName = (word: string, name: string): string => (word === name ? `"${word}"` : `"${word}" in ${name}`);

const partsOf = (name: string): string[] => (name.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []).map((part) => part.toLowerCase());

const singular = (word: string): string => word.replace(/ies$/, 'y').replace(/(?<!s)s$/, '');

function isOrderThing(name: string): boolean {
  const parts = partsOf(name);
  return parts.length > 1 && parts.some((part) => singular(part) === 'order') && !ORDERLY.test(name.replaceAll('-', '_'));
}
