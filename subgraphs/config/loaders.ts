import DataLoader from 'dataloader';
import type { Context } from '#shared/kit/context.ts';
import { GLOBAL } from '#shared/settings/definitions.ts';
import { byId } from '#shared/store/loaders.ts';
import { valueId } from './value-id.ts';
import type { Flag, Models, Segment, Setting, Value } from './model.ts';

export const loaders = ({ Setting, Flag, Segment, Value }: Models) => {
  const value = byId<Value>(Value);
  return {
    setting: byId<Setting>(Setting),
    flag: byId<Flag>(Flag),
    segment: byId<Segment>(Segment),
    /** The global value of a setting, or the rules of a flag. */
    globalValue: new DataLoader((ids: readonly string[]) => value.loadMany(ids.map((id) => valueId(id, GLOBAL)))),
  };
};

export type Ctx = Context<Models, ReturnType<typeof loaders>>;
