import { describe, expect, test } from '@jest/globals';
import { readRefusals } from './codes.ts';

const read = (...texts: string[]) => readRefusals(texts.map((text, index) => ({ file: `subgraphs/notes/${index}.ts`, text })));
const codes = (...texts: string[]): string[] => read(...texts).thrown.map(({ code }) => code);

describe('a code that is thrown', () => {
  test.each([
    ['is written where it is thrown', `throw new Problem('NOTE_LOCKED', 'It is locked.');`],
    ['stands on a line of its own', `throw new Problem(\n  'NOTE_LOCKED',\n  'It is locked.',\n);`],
    ['has its type beside it', `throw new Problem('NOTE_LOCKED' as const, 'It is locked.');`],
    ['is handed to an arrow function', `const refuse = (code: string) => new Problem(code, 'No.'); throw refuse('NOTE_LOCKED');`],
    [
      'is handed to a function as its second argument',
      `function refuse(id: string, code = 'X') { return new Problem(code, id); } refuse('1', 'NOTE_LOCKED');`,
    ],
    [
      'is handed on and on',
      `const make = (code: string) => new Problem(code, ''); const refuse = (text: string, code: string) => make(code); refuse('', 'NOTE_LOCKED');`,
    ],
  ])('is found when it %s', (_case, text) => {
    expect(codes(text)).toEqual(['NOTE_LOCKED']);
  });

  test('is found when it is handed to a function of another file', () => {
    expect(codes(`refuse('NOTE_LOCKED');`, `export const refuse = (code: string) => new Problem(code, '');`)).toEqual(['NOTE_LOCKED']);
  });

  test('is found on both sides of a choice', () => {
    expect(codes(`new Problem(isFull ? 'BOARD_FULL' : 'NOTE_LOCKED', '');`).sort()).toEqual(['BOARD_FULL', 'NOTE_LOCKED']);
  });

  test('is named with its file', () => {
    expect(read('', `new Problem('NOTE_LOCKED', '');`).thrown).toEqual([{ code: 'NOTE_LOCKED', file: 'subgraphs/notes/1.ts' }]);
  });

  test.each([
    ['passed on', `catch_(({ code }) => { throw new Problem(code, ''); });`],
    ['only in a comment', `// throw new Problem('NOTE_LOCKED')`],
    ['given to something else', `new Error('NOTE_LOCKED');`],
  ])('is not made up when it is %s', (_case, text) => {
    expect(codes(text)).toEqual([]);
  });
});

test('types of refusals are found, also on both sides of a choice', () => {
  const text = `new Problem('A', '', { typename: 'StaleError', version }); new Problem('B', '', { typename: x ? 'FullError' : 'StaleError' });`;

  expect(read(text).types.sort()).toEqual(['FullError', 'StaleError']);
});

test('everything in capitals counts as mentioned, comments and names do not', () => {
  expect([...read(`const A_CODE = ['NOTE_LOCKED', 'not', 'B']; // 'OLD_CODE'`).mentioned].sort()).toEqual(['B', 'NOTE_LOCKED']);
});
