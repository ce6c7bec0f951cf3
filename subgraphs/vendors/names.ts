import { bareText, spelledOut, textKey } from '#shared/base/text.ts';

// Capitals first: Η looks like H, η like n. One character of another script, then the Latin one it is taken for.
const CAPITALS = 'ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX АA ВB ЕE ЗE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS ҮY ҺH ԌG';
const SMALL =
  'αa βb γy εe ηn ιi κk νv οo ρp σo τt υu χx ωw аa бb вb гr еe зe іi јj кk мm нh оo рp сc тt уy хx ѕs һh ԁd ԛq ԝw ьb ƒf ɑa ɡg ɩi ʋv ӏl ɪi ʟl ɴn ʀr ʏy ոn սu օo հh ցg զq 0o 1l |l';

const pairs = (text: string): Map<string, string> => new Map(text.split(' ').map((pair) => [pair.slice(0, -1), pair.slice(-1)]));
const LOOKS_LIKE_CAPITAL = pairs(CAPITALS);
const LOOKS_LIKE_SMALL = pairs(SMALL);

const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{M}\p{N}]/gu;

/**
 * What a person might take the name for, as keys: two names that share one differ by no more than case, spacing, accents, punctuation,
 * invisible characters or letters of the same look. Empty when the name has neither letter nor digit.
 */
export function nameKeys(name: string): string[] {
  const read = keyOf(swap(bareText(name), LOOKS_LIKE_CAPITAL));
  return [...new Set([read, seen(read)])].filter((key) => key !== '');
}

/** What a store keeps of its name. */
export const nameFields = (name: string) => ({ name, nameKeys: nameKeys(name), searchName: textKey(name) });

/**
 * To the eye: i, l and 1 are one stroke, in capitals and small letters (the price: Mall and Mail cannot both be stores, which the operator
 * can live with); rn is m, and vv is w. What the reader spells (`read`) stays a key beside it, as stores of earlier rules have it.
 */
const seen = (read: string): string => read.replaceAll('i', 'l').replaceAll('rn', 'm').replaceAll('vv', 'w');

const keyOf = (plain: string): string =>
  spelledOut(swap(plain.toLowerCase(), LOOKS_LIKE_SMALL)).replaceAll(NEITHER_LETTER_NOR_DIGIT, '').normalize('NFC');

const swap = (text: string, letters: ReadonlyMap<string, string>): string =>
  text.replaceAll(/./gsu, (letter) => letters.get(letter) ?? letter);

const BRAND = 'Soko';
/** Those a buyer, or the reader of an invitation, would obey. */
const OFFICES = ['admin', 'administrator', 'moderator', 'official', 'security', 'staff', 'support', 'system', 'team'];
const OPERATORS = new Set([BRAND, ...OFFICES, ...OFFICES.map((office) => BRAND + office)].flatMap(nameKeys));
const BRANDS = new Set(nameKeys(BRAND));
/** What programs that show a mail make a link of. */
const WEB_ADDRESS = /:\/\/|\bwww\.|[\p{L}\p{N}]\.(com|net|org|info|biz|shop|store|app|io|[a-z]{2})(?![\p{L}\p{N}])/iu;

/**
 * True for a name that speaks for the operator, or leads elsewhere: it stands in letters that the operator sends. The brand is refused as a
 * word, so that Sokoto Traders stay welcome; an office only as the whole name.
 */
export const isMisleading = (name: string): boolean =>
  WEB_ADDRESS.test(bareText(name)) ||
  nameKeys(name).some((key) => OPERATORS.has(key)) ||
  name.split(/[\s\p{P}\p{S}]+/u).some((word) => nameKeys(word).some((key) => BRANDS.has(key)));
