import type { Model } from 'mongoose';
import { retentionOf } from '#shared/store/retention.ts';

type AnyModel = Pick<Model<unknown>, 'modelName' | 'schema'>;

/** Models that do not say how long their rows live, or that say it of a job, a field or an index that is not there. */
export function retentionFaults(models: readonly AnyModel[], jobs: readonly string[]): string[] {
  return models.flatMap((model) => faultsOf(model, jobs).map((fault) => `model ${model.modelName} ${fault}`));
}

function faultsOf(model: AnyModel, jobs: readonly string[]): string[] {
  const retention = retentionOf(model);
  const ending = model.schema.indexes().filter(([, options]) => options?.expireAfterSeconds !== undefined);
  if (!retention) return ['has no retention; call retain(schema, ...) with how long its rows live'];
  const faults = Object.entries(retention)
    .filter(([, value]) => value === '')
    .map(([key]) => `has a retention whose ${key} is empty; give the reason`);
  if ('job' in retention && !jobs.includes(retention.job))
    faults.push(`leaves its retention to the job ${retention.job}, which handlers.ts does not schedule`);
  if (!('after' in retention))
    return ending.length > 0 ? [...faults, 'has an index that ends rows beside its retention; use retain'] : faults;
  const { after, seconds } = retention;
  const [only, ...others] = ending;
  const isRight = only?.[0][after] === 1 && only[1]?.expireAfterSeconds === seconds && others.length === 0;
  if (!isRight) faults.push('has an index that ends rows beside its retention; use retain');
  if (model.schema.path(after)?.instance !== 'Date') faults.push(`ends its rows by ${after}, which is no field with a date`);
  return faults;
}
