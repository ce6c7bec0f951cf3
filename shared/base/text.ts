/*
 * What equal text is, for the whole project. Text is kept as `keptText` leaves it; it is compared, looked up and sorted by its `textKey`.
 * What was stored before these rules keeps its old key until it is written again.
 */

/** Letters that are no Latin letter with a mark, as people write them who lack the key. */
const SPELLED_OUT: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ı: 'i',
  ł: 'l',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  þ: 'th',
};

/** A text of small letters with `ß`, `ø` and their like written in plain Latin letters. */
export const spelledOut = (text: string): string => text.replaceAll(/[ßæœıłøđðħþ]/gu, (letter) => SPELLED_OUT[letter]!);

/** Accents of the European scripts, and marks around symbols. Marks of other scripts tell words apart (か is not が) and stay. */
const ACCENTS = new RegExp(String.raw`[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\uFE20-\uFE2F]`, 'gu');
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;
// The blank of Braille is a letter to Unicode and a space to the eye.
const SPACES = /[\s\u2800]+/gu;
const SPACE = /[\s\u2800]/u;

/** Scripts that write with joiners: without them other letters are seen. */
const JOINING =
  'Arabic Syriac Mongolian Nko Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Khmer Myanmar Tibetan'
    .split(' ')
    .map((script) => String.raw`\p{Script_Extensions=${script}}`)
    .join('');

/**
 * Invisible characters that the text needs: joiners inside emoji and in scripts that write with them, variants of emoji, Han and Mongolian
 * letters, the letters of a flag, direction marks in a text that is written from the right. The first group that matches is kept.
 */
const NEEDED = [
  String.raw`\u{1F3F4}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{1,8}\u{E007F}`,
  String.raw`(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\uFE0F?)\u200D(?=\p{Extended_Pictographic})`,
  String.raw`(?<=\p{Extended_Pictographic})[\uFE0E\uFE0F]`,
  String.raw`(?<=[\d#*])\uFE0F(?=\u20E3)`,
  String.raw`(?<=\p{Script=Han})[\uFE00-\uFE02\u{E0100}-\u{E01EF}]`,
  String.raw`(?<=\p{Script=Mongolian})[\u180B-\u180F]`,
  String.raw`(?<=[${JOINING}])[\u200C\u200D]`,
];
const MAX_PASSES = 4;
const INVISIBLE = new RegExp(String.raw`(${NEEDED.join('|')})|[\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB]`, 'gu');
const DIRECTION_MARK = /[\u061C\u200E\u200F]/u;
const FROM_THE_RIGHT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** Anything that leaves a trace on paper. */
const VISIBLE = /[^\p{White_Space}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * The one spelling in which text is kept: composed (NFC), without spaces around it and without characters that nobody sees or needs; empty
 * when nothing is to be seen.
 */
export function keptText(text: string): string {
  let kept = text;
  // What is removed may bring marks together that then change places, and so take away what another character was needed for.
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const before = kept;
    kept = withoutInvisible(before.normalize('NFC'));
    if (kept === before) break;
    if (pass === MAX_PASSES - 1) kept = kept.replaceAll(IGNORABLE, '');
  }
  return VISIBLE.test(kept) ? trimmed(kept.normalize('NFC')) : '';
}

/** Letter by letter: a pattern for spaces at the end begins anew at each space inside, and takes seconds for 10,000 of them. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.test(text[start]!)) start += 1;
  while (end > start && SPACE.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}

function withoutInvisible(text: string): string {
  const keepsMarks = FROM_THE_RIGHT.test(text);
  return text.replaceAll(INVISIBLE, (character, needed?: string) =>
    needed !== undefined || (keepsMarks && DIRECTION_MARK.test(character)) ? character : '',
  );
}

/** One spelling for codes that people type and machines compare (numbers of articles, tags): compatibility forms such as full width are the same. Case stays. */
export const codeText = (text: string): string => keptText(text.normalize('NFKC')).replaceAll(SPACES, ' ');

/** Letters alone: compatibility forms unified and taken apart, without accents and invisible characters. */
export const bareText = (text: string): string => text.normalize('NFKD').replaceAll(IGNORABLE, '').replaceAll(ACCENTS, '');

/**
 * The key of a text: equal for texts that read the same to somebody who searches, whatever their case, width, accents, spaces and invisible
 * characters; `ß` and `ø` are as slugs write them.
 */
export const textKey = (text: string): string =>
  spelledOut(bareText(text).toLowerCase().replaceAll('ς', 'σ')).normalize('NFC').replaceAll(SPACES, ' ').trim();
