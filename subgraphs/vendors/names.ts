import { spelledOut } from '../../shared/slugs.ts';

// Capitals first: Η looks like H, η like n. One character of another script, then the Latin one it is taken for.
const CAPITALS = 'ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX АA ВB ЕE ЗE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS ҮY ҺH ԌG';
const SMALL =
  'αa βb γy εe ηn ιi κk νv οo ρp σo τt υu χx ωw аa бb вb гr еe зe іi јj кk мm нh оo рp сc тt уy хx ѕs һh ԁd ԛq ԝw ьb ƒf ɑa ɡg ɩi ʋv 0o 1l |l';

const pairs = (text: string): Map<string, string> => new Map(text.split(' ').map((pair) => [pair.slice(0, -1), pair.slice(-1)]));
const LOOKS_LIKE_CAPITAL = pairs(CAPITALS);
const LOOKS_LIKE_SMALL = pairs(SMALL);

/** Accents of the European scripts. Marks of other scripts tell words apart (か is not が). */
const ACCENTS = /[\u0300-\u036F]/gu;
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{M}\p{N}]/gu;

/**
 * What a person might take the name for, as keys: two names that share one differ by no more than case, spacing, accents, punctuation,
 * invisible characters or letters of the same look. Empty when the name has neither letter nor digit.
 */
export function nameKeys(name: string): string[] {
  const plain = swap(name.normalize('NFKD').replaceAll(INVISIBLE, '').replaceAll(ACCENTS, ''), LOOKS_LIKE_CAPITAL);
  const read = keyOf(plain);
  // A capital i is a small L to the eye but an i to the reader, so a name has a key for each.
  const seen = keyOf(plain.replaceAll('I', 'l')).replaceAll('rn', 'm').replaceAll('vv', 'w');
  return [...new Set([read, seen])].filter((key) => key !== '');
}

const keyOf = (plain: string): string =>
  spelledOut(swap(plain.toLowerCase(), LOOKS_LIKE_SMALL)).replaceAll(NEITHER_LETTER_NOR_DIGIT, '').normalize('NFC');

const swap = (text: string, letters: ReadonlyMap<string, string>): string =>
  text.replaceAll(/./gsu, (letter) => letters.get(letter) ?? letter);
