import { z } from 'zod';

const id = z.string().max(200);
const attribute = z.string().max(50);

/** One test of an attribute. A missing attribute passes none of them. */
const Condition = z.object({
  attribute,
  operator: z.enum(['IN', 'NOT_IN', 'STARTS_WITH', 'AT_LEAST', 'AT_MOST']),
  /** Numbers are compared as numbers where the attribute is one. */
  values: z.array(z.string().max(200)).max(1_000),
});

/** A segment is everybody who passes all of its conditions. */
export const Conditions = z.array(Condition).max(20);

/** What an admin has decided about a flag. Every list is bounded, since every process keeps all rules in memory. */
export const FlagRules = z.object({
  /** The kill switch: off, whatever else is decided. */
  isKilled: z.boolean(),
  /** For all who no other rule concerns; null leaves it to the default of the code. */
  isOn: z.boolean().nullable(),
  /** Off before. */
  startsAt: z.iso.datetime().nullable(),
  /** Off from then on. */
  endsAt: z.iso.datetime().nullable(),
  /** Flags that must be on, or off; otherwise this one is off. */
  prerequisites: z.array(z.object({ flag: id, isOn: z.boolean() })).max(10),
  /** In their order: the first segment that the subject belongs to decides. */
  segments: z.array(z.object({ segment: id, isOn: z.boolean() })).max(20),
  /** The share of subjects for whom it is on, in percent with two decimals; `by` is the attribute that names the subject. */
  rollout: z.object({ percentage: z.number().min(0).max(100), by: attribute }).nullable(),
});

export type FlagRules = z.infer<typeof FlagRules>;
export type Condition = z.infer<typeof Condition>;

/** A flag that nothing was decided about. */
export const NO_RULES: FlagRules = {
  isKilled: false,
  isOn: null,
  startsAt: null,
  endsAt: null,
  prerequisites: [],
  segments: [],
  rollout: null,
};
