import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingNames, readmeFaults, typesNamed } from './folder.ts';

describe('the names of a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'house-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('are all missed in an empty one', () => {
    expect(missingNames(folder)).toHaveLength(11);
  });

  test('may be files or folders', async () => {
    const files = [
      'README.md',
      'subgraph.ts',
      'subgraph.test.ts',
      'contract.ts',
      'model.ts',
      'resolvers.ts',
      'handlers.ts',
      'permissions.ts',
    ];
    await Promise.all(files.map((file) => writeFile(join(folder, file), '')));
    await Promise.all(['schema', 'actions'].map((name) => mkdir(join(folder, name))));

    expect(missingNames(folder)).toEqual(['loaders.ts']);
  });
});

describe('a README', () => {
  const readme = '# notes\n\nOwns Note.\nSays Note.Created.\nHears Board.Closed.\nAnswers findNotes.\nNot here: boards.\n';
  const spoken = { says: ['Note.Created'], hears: ['Board.Closed'], answers: ['findNotes'] };

  test('that says all is fine', () => {
    expect(readmeFaults(readme, 'notes', spoken)).toEqual([]);
  });

  test.each([
    ['says an event', { ...spoken, says: ['Note.Created', 'Note.Moved'] }, 'does not say that it says Note.Moved'],
    ['hears an event', { ...spoken, hears: ['Board.Moved'] }, 'does not say that it hears Board.Moved'],
    ['answers a command', { ...spoken, answers: ['find'] }, 'does not say that it answers find'],
    ['says an event whose name only begins alike', { ...spoken, says: ['Note.Create'] }, 'does not say that it says Note.Create'],
  ])('may not forget that it %s', (_case, what, fault) => {
    expect(readmeFaults(readme, 'notes', what)).toEqual([fault]);
  });

  test('is short, begins with its name and tells what it owns and what not', () => {
    const faults = readmeFaults(`# Notes\n${'More.\n'.repeat(10)}`, 'notes', { says: [], hears: [], answers: [] });

    expect(faults).toEqual([
      'does not begin with "# notes"',
      'has 11 lines, at most 10 are read',
      'has no line "Owns ..."',
      'has no line "Not here: ..."',
    ]);
  });

  test('names the types it owns and extends', () => {
    const text = '# notes\nOwns Note, NotePage: a tree. Extends User (Notes, boards), Board.\nSays Note.Created.';

    expect(typesNamed(text, 'Owns')).toEqual(new Set(['Note', 'NotePage']));
    expect(typesNamed(text, 'Extends')).toEqual(new Set(['User', 'Board']));
  });
});
