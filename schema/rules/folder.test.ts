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
  const readme = '# notes\n\nOwns Note.\nPublishes Note.Created.\nSubscribes to Board.Closed.\nHandles findNotes.\nNot here: boards.\n';
  const spoken = { publishes: ['Note.Created'], subscribesTo: ['Board.Closed'], handles: ['findNotes'] };

  test('that says all is fine', () => {
    expect(readmeFaults(readme, 'notes', spoken)).toEqual([]);
  });

  test.each([
    ['publishes an event', { ...spoken, publishes: ['Note.Created', 'Note.Moved'] }, 'does not say that it publishes Note.Moved'],
    ['subscribes to an event', { ...spoken, subscribesTo: ['Board.Moved'] }, 'does not say that it subscribes to Board.Moved'],
    ['handles a command', { ...spoken, handles: ['find'] }, 'does not say that it handles find'],
    [
      'publishes an event whose name only begins alike',
      { ...spoken, publishes: ['Note.Create'] },
      'does not say that it publishes Note.Create',
    ],
  ])('may not forget that it %s', (_case, what, fault) => {
    expect(readmeFaults(readme, 'notes', what)).toEqual([fault]);
  });

  test('is short, begins with its name and tells what it owns and what not', () => {
    const faults = readmeFaults(`# Notes\n${'More.\n'.repeat(10)}`, 'notes', { publishes: [], subscribesTo: [], handles: [] });

    expect(faults).toEqual([
      'does not begin with "# notes"',
      'has 11 lines, at most 10 are read',
      'has no line "Owns ..."',
      'has no line "Not here: ..."',
    ]);
  });

  test('names the types it owns and extends', () => {
    const text = '# notes\nOwns Note, NotePage: a tree. Extends User (Notes, boards), Board.\nPublishes Note.Created.';

    expect(typesNamed(text, 'Owns')).toEqual(new Set(['Note', 'NotePage']));
    expect(typesNamed(text, 'Extends')).toEqual(new Set(['User', 'Board']));
  });
});
