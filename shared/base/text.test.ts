import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { codeText, keptText, textKey } from './text.ts';

const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom(
      '\u200B',
      '\u00AD',
      '\u200D',
      '\u200C',
      '\uFE0F',
      '\u{E0061}',
      '\u{E007F}',
      '\u{1F3F4}',
      '\u{1F469}',
      'é',
      'e',
      '\u0301',
    ),
    fc.constantFrom('ß', 'İ', 'Σ', 'が', 'か', '\u3099', 'ﾊ', 'क', '\u094D', ' ', '\u2800', '\u200F', 'ا', 'Ｆ', '葛', '\u{E0100}'),
  ),
  maxLength: 30,
});

describe('text is kept', () => {
  test.each([
    ['NFD', 'cafe\u0301', 'café'],
    ['a zero width space', 'ABC-X\u200B', 'ABC-X'],
    ['a byte order mark', '\uFEFFname', 'name'],
    ['a soft hyphen', 'Gross\u00ADhandel', 'Grosshandel'],
    ['a joiner between plain letters', 'a\u200Db', 'ab'],
    ['tags without a flag', 'abc\u{E0061}\u{E007F}', 'abc'],
    ['an annotation', 'a\uFFF9b\uFFFBc', 'abc'],
    ['a direction mark in a Latin text', 'a\u200Eb', 'ab'],
    ['spaces and blanks of Braille around it', ' \u2800a b\u2800\u3000', 'a b'],
  ])('without what nobody sees: %s', (_case, given, kept) => {
    expect(keptText(given)).toBe(kept);
  });

  test.each([
    ['a family', '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}'],
    ['a heart on fire', '\u2764\uFE0F\u200D\u{1F525}'],
    ['a fire fighter with a tone of skin', '\u{1F9D1}\u{1F3FD}\u200D\u{1F692}'],
    ['a key cap', '1\uFE0F\u20E3'],
    ['the flag of Scotland', '\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}'],
    ['a word of Persian', 'می\u200Cخواهم'],
    ['a word of Sinhala', 'ශ්\u200Dරී'],
    ['a word of Hindi', 'क्\u200Dष'],
    ['the variant of a Japanese name', '葛\u{E0100}城'],
    ['Hebrew with a mark behind a sign', 'שלום!\u200F'],
    ['a name with letters of its own', 'Łukasz Ærø ß'],
  ])('with what it needs: %s', (_case, given) => {
    expect(keptText(given)).toBe(given);
  });

  test.each(['', '\u200B', '\u00AD\u2060', '\u3164', '\u2800', '\uFFA0 \u115F', '\u{E0061}', ' \n', '\u061C'])(
    'as nothing when nothing is to be seen: %j',
    (given) => {
      expect(keptText(given)).toBe('');
    },
  );

  test('in one spelling, which stays as it is', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const kept = keptText(text);

        expect(keptText(kept)).toBe(kept);
        expect(codeText(codeText(text))).toBe(codeText(text));
        expect(kept).toBe(kept.normalize('NFC'));
        expect(keptText(text.normalize('NFD'))).toBe(keptText(text.normalize('NFC')));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the key of a text', () => {
  test.each([
    ['accents and case', 'CAFÉ', 'cafe'],
    ['letters that slugs spell out', 'Łódzki Straße Øl', 'lodzki strasse ol'],
    ['a capital sharp s', 'STRAẞE', 'strasse'],
    ['the dotted i of Turkish', 'İzmir', 'izmir'],
    ['both small sigmas', 'ΟΔΟΣ', 'οδος'],
    ['full and half width', 'ﾊﾟﾝ ＡＢ', 'パン ab'],
    ['spaces', ' a \u3000 b ', 'a b'],
    ['invisible characters', 'ABC\u200B-\u2060X', 'abc-x'],
  ])('is the same whatever the %s', (_case, one, other) => {
    expect(textKey(one)).toBe(textKey(other));
  });

  test.each([
    ['パン', 'バン'],
    ['か', 'が'],
    ['हि', 'ह'],
    ['สี', 'ส'],
  ])('tells %s from %s', (one, other) => {
    expect(textKey(one)).not.toBe(textKey(other));
  });

  test('is the same for a text and for its kept spelling, in both normal forms, and for itself', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const key = textKey(text);

        expect(textKey(key)).toBe(key);
        expect(textKey(text.normalize('NFD'))).toBe(key);
        if (keptText(text) !== '') expect(textKey(keptText(text))).toBe(key);
      }),
      { numRuns: 500 },
    );
  });
});
