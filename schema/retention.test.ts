import { describe, expect, test } from '@jest/globals';
import type { Model } from 'mongoose';
import { loadSubgraphs } from '../demo/together.ts';
import { KIT_RETENTION, retentionOf } from '#shared/store/retention.ts';
import { mongoose } from '#shared/store/mongo.ts';

// Not connected: what is declared can be read without a store.
const db = mongoose.createConnection();
const subgraphs = await loadSubgraphs();
const models = subgraphs.flatMap(({ name, models: of, handlers }) =>
  Object.values(of(db.useDb(name, { useCache: false })) as Record<string, Model<unknown>>).map((model) => ({
    place: `${name}.${model.modelName}`,
    model,
    jobs: handlers.flatMap((handler) =>
      handler.kind === 'job' && handler.schedule ? [handler.job.type] : handler.kind === 'schedule' ? [handler.job.type] : [],
    ),
  })),
);

describe.each(models)('$place', ({ model, jobs }) => {
  test('says how long its rows live, and what removes them is there', () => {
    const retention = retentionOf(model);
    const reasons = Object.values(retention ?? {}).filter((value) => typeof value === 'string');

    expect(retention).toBeDefined();
    expect(reasons.every((reason) => reason.length > 0)).toBe(true);
    if ('job' in retention!) expect(jobs).toContain(retention.job);
    if (!('after' in retention!)) return;
    const { after, seconds } = retention;
    const ending = model.schema.indexes().filter(([, options]) => options?.expireAfterSeconds !== undefined);
    expect(ending).toMatchObject([[{ [after]: 1 }, { expireAfterSeconds: seconds }]]);
    expect(model.schema.path(after)?.instance).toBe('Date');
  });
});

test('every index that ends rows belongs to a declared retention', () => {
  const undeclared = models.filter(({ model }) => {
    const ends = model.schema.indexes().some(([, options]) => options?.expireAfterSeconds !== undefined);
    return ends && !('after' in (retentionOf(model) ?? {}));
  });

  expect(undeclared.map(({ place }) => place)).toEqual([]);
  expect(Object.keys(KIT_RETENTION)).toContain('outbox');
});
