import { z } from 'zod';
import { defineFlags, flag } from '#shared/kit/define-flags.ts';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import type { SettingsSource } from '#shared/settings/settings-client.ts';
import { subgraph as boards } from '#shared/testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type OpenOptions, type TestApp } from '#shared/testing/open.ts';
import { subgraph as config } from './subgraph.ts';

/* A subgraph of these tests that has settings and flags, and nothing else. */

export const admin = viewer('usr_admin', ['admin']);

export const settings = defineSettings('shelves', {
  width: setting(z.int().min(1).max(500), { default: 60, description: 'Width in centimetres.', per: ['vendor', 'country'] }),
  material: setting(
    z.object({ wood: z.string(), layers: z.array(z.int()).max(3) }).refine(({ wood }) => wood !== 'balsa', {
      params: { code: 'TOO_SOFT' },
      path: ['wood'],
      message: 'is too soft',
    }),
    { default: { wood: 'oak', layers: [1] }, description: 'What they are made of.' },
  ),
  key: setting(z.string().min(3), { description: 'A secret.', encrypted: true }),
});

export const flags = defineFlags('shelves', {
  glass: flag({ description: 'Doors of glass.', per: 'vendor', public: true }),
  'glass-tinted': flag({ description: 'Tinted glass.' }),
  lights: flag({ description: 'Lights inside.', default: true, public: true }),
});

/** The kit's fixture, with these settings and flags. */
export const shelves: Subgraph = { ...boards, name: 'shelves', settings: Object.values(settings), flags: Object.values(flags) };

/** Settles once the process has seen a change of this setting or flag; call it before the change is made. */
export const changeOf = (client: SettingsSource, id: string): Promise<number> =>
  new Promise((resolve) => {
    const stop = client.onEvent((event) => {
      if (event.kind !== 'CHANGED' || !event.ids.includes(id)) return;
      stop();
      resolve(performance.now());
    });
  });

/** Both subgraphs in one process, as soon as the definitions are known there. */
export async function openShelves(options: OpenOptions = {}): Promise<TestApp> {
  const app = await open([config, shelves], { viewer: admin, ...options });
  const known = changeOf(app.host.settings, flags.glass.id);
  if (!(flags.glass.id in (await app.host.settings.flags()))) await known;
  return app;
}
