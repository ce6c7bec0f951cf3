import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineFlags, flag } from '../kit/define-flags.ts';
import { defineSettings, setting } from '../kit/define-settings.ts';
import { checkSetting } from '../kit/settings-commands.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { subgraph as boards } from '../testing/fixture-subgraph/subgraph.ts';
import { open } from '../testing/open.ts';

const settings = defineSettings('boards', {
  width: setting(z.int().min(1).max(500), { default: 60, description: 'Centimetres.', variable: 'BOARD_WIDTH' }),
  code: setting(z.string().min(2), { default: 'ab', description: 'A code.', variable: 'BOARD_CODE' }),
});
const flags = defineFlags('boards', { chalk: flag({ description: 'Chalk.', per: 'wall' }) });
const withSettings: Subgraph = { ...boards, settings: Object.values(settings), flags: Object.values(flags) };

test('a variable of the environment replaces a default, as JSON or as plain text', async () => {
  await using app = await open(withSettings, { environment: { BOARD_WIDTH: '75', BOARD_CODE: '12' } });

  const ctx = app.context();
  expect(await ctx.settings.get(settings.width)).toBe(75);
  expect(await ctx.settings.get(settings.code)).toBe('12');
  expect(await ctx.flags.isOn(flags.chalk, { wall: 'w1' })).toBe(false);
  // @ts-expect-error -- this setting has no scopes
  expect(await ctx.settings.get(settings.width, { wall: 'w1' })).toBe(75);
});

test('a wrong one ends the start with a line that names it, and never its value', async () => {
  await expect(open(withSettings, { environment: { BOARD_WIDTH: '9999' } })).rejects.toThrow(/^Environment: BOARD_WIDTH: (?!.*9999)/);
});

test('each subgraph judges values of its own settings', async () => {
  await using app = await open(withSettings);

  expect(await app.call(checkSetting('boards'), { id: settings.width.id, value: '70' })).toEqual({ issue: null });
  expect(await app.call(checkSetting('boards'), { id: settings.width.id, value: '0' })).toMatchObject({
    issue: { code: 'too_small', path: [] },
  });
  await expect(app.call(checkSetting('boards'), { id: 'boards.none', value: '0' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a default that does not fit its own schema is refused where it is declared', () => {
  expect(() => defineSettings('boards', { width: setting(z.int(), { default: 1.5, description: '' }) })).toThrow('boards.width');
});
