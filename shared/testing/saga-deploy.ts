import { Problem } from '../base/errors.ts';
import { counted, deploySaga, type Builder, type Definition } from './saga-builds.ts';
import type { SagaPart, Step } from '../kit/define-saga.ts';

/** What happens at a step: called before its effect, with its name, or `un-<name>` for its compensation. */
export type Meet = (name: string) => void;

/** The saga of the deploy tests: a remote step, a local one, a wait, two parallel ones, and a last one that refuses when the input says so. */
export const deployed = (version: number, meet: Meet = () => undefined, change: Change = (parts) => parts): Definition =>
  deploySaga(version, (builder) => change(partsOf(builder, meet), builder, (name) => stepOf(builder, name, meet)));

export type Change = (parts: SagaPart[], builder: Builder, step: (name: string) => Step<any, any>) => SagaPart[];

function stepOf({ step }: Builder, name: string, meet: Meet, { local = false } = {}): Step<any, any> {
  const { run, compensate } = counted();
  return step(name, {
    local,
    retry: { firstMs: 1, maxMs: 1 },
    async run(ctx, args) {
      meet(name);
      if (args.input['refuses'] === name) throw new Problem('REFUSED', `${name} refuses.`);
      return run(ctx, args);
    },
    async compensate(ctx, args) {
      meet(`un-${name}`);
      return compensate!(ctx, args);
    },
  });
}

const partsOf = (builder: Builder, meet: Meet): SagaPart[] => [
  stepOf(builder, 'reserve', meet),
  stepOf(builder, 'charge', meet, { local: true }),
  builder.waitFor('paid', { withinMs: 60_000 }),
  builder.parallel('prepare', [stepOf(builder, 'pack', meet), stepOf(builder, 'label', meet)]),
  stepOf(builder, 'ship', meet),
];

/** What a new version does to the steps of the old one. */
export const CHANGES: Record<string, Change> = {
  'inserts a step before the others': (parts, _builder, step) => [step('assess'), ...parts],
  'inserts a parallel step': (parts, { parallel }, step) =>
    parts.map((part) => (part.kind === 'parallel' ? parallel(part.name, [...part.steps, step('assess')]) : part)),
  'removes a step': (parts) => parts.filter(({ name }) => name !== 'charge'),
  'renames a step': (parts, _builder, step) => parts.map((part) => (part.name === 'charge' ? step('collect') : part)),
};
