import { hash } from 'node:crypto';
import type { FlagAttributes } from './definitions.ts';
import { NO_RULES, type Condition, type FlagRules } from './flag-rules.ts';

/** Which rule decided. */
export type FlagReason = 'DEFAULT' | 'STATIC' | 'DISABLED' | 'SCHEDULED' | 'PREREQUISITE' | 'OVERRIDE' | 'SEGMENT' | 'ROLLOUT';

export interface FlagEvaluation {
  isOn: boolean;
  reason: FlagReason;
  /** True when only some subjects have it and none was named. */
  lacksSubject?: boolean;
}

export interface KnownFlag {
  default: boolean;
  /** Kinds of scopes, most specific first. */
  per: readonly string[];
  rules: FlagRules | null;
}

/** Everything that an evaluation reads. */
export interface FlagState {
  flag(id: string): KnownFlag | undefined;
  segment(key: string): readonly Condition[] | undefined;
  override(id: string, kind: string, scopeId: string): boolean | undefined;
}

const BUCKETS = 10_000;
/** Knows that version 1.10 comes after 1.9. */
const COLLATOR = new Intl.Collator('en', { numeric: true });
/** Prerequisites of prerequisites; a cycle, which is refused when rules are saved, ends here. */
const MAX_DEPTH = 10;

/** Decides a flag for a subject. Equal rules, subject and time give the same decision in every process. */
export function evaluateFlag(id: string, state: FlagState, attributes: FlagAttributes, now: Date, depth = 0): FlagEvaluation {
  const flag = state.flag(id);
  if (!flag || depth > MAX_DEPTH) return { isOn: false, reason: 'PREREQUISITE' };
  const rules = flag.rules ?? NO_RULES;
  if (rules.isKilled) return { isOn: false, reason: 'DISABLED' };
  if (!isWithin(rules, now)) return { isOn: false, reason: 'SCHEDULED' };
  const isMet = (other: FlagRules['prerequisites'][number]): boolean =>
    evaluateFlag(other.flag, state, attributes, now, depth + 1).isOn === other.isOn;
  if (!rules.prerequisites.every(isMet)) return { isOn: false, reason: 'PREREQUISITE' };
  for (const kind of flag.per) {
    const override = state.override(id, kind, textOf(attributes[kind]) ?? '');
    if (override !== undefined) return { isOn: override, reason: 'OVERRIDE' };
  }
  for (const { segment, isOn } of rules.segments) {
    if (state.segment(segment)?.every((condition) => passes(condition, attributes))) return { isOn, reason: 'SEGMENT' };
  }
  const otherwise = { isOn: rules.isOn ?? flag.default, reason: rules.isOn === null ? ('DEFAULT' as const) : ('STATIC' as const) };
  return rules.rollout ? rolledOut(id, rules.rollout, attributes, otherwise) : otherwise;
}

const isWithin = ({ startsAt, endsAt }: FlagRules, now: Date): boolean =>
  (!startsAt || now >= new Date(startsAt)) && (!endsAt || now < new Date(endsAt));

type Rollout = NonNullable<FlagRules['rollout']>;

function rolledOut(id: string, { percentage, by }: Rollout, attributes: FlagAttributes, otherwise: FlagEvaluation): FlagEvaluation {
  if (percentage === 100) return { isOn: true, reason: 'ROLLOUT' };
  const subject = textOf(attributes[by]);
  if (subject === undefined) return { ...otherwise, lacksSubject: true };
  return { isOn: bucketOf(id, subject) < (percentage / 100) * BUCKETS, reason: 'ROLLOUT' };
}

/** 0 to 9,999, evenly. A larger percentage holds all buckets of a smaller one, so that growing it only adds subjects. */
export function bucketOf(id: string, subject: string): number {
  const number = Number.parseInt(hash('sha256', `${id}\n${subject}`).slice(0, 12), 16);
  return Math.floor((number / 2 ** 48) * BUCKETS);
}

function passes({ attribute, operator, values }: Condition, attributes: FlagAttributes): boolean {
  const value = attributes[attribute];
  const text = textOf(value);
  if (text === undefined) return false;
  if (operator === 'IN') return values.includes(text);
  if (operator === 'NOT_IN') return !values.includes(text);
  if (operator === 'STARTS_WITH') return values.some((start) => text.startsWith(start));
  const [limit = ''] = values;
  const order = typeof value === 'number' ? value - Number(limit) : COLLATOR.compare(text, limit);
  return operator === 'AT_LEAST' ? order >= 0 : order <= 0;
}

const textOf = (value: FlagAttributes[string]): string | undefined => (value === null || value === undefined ? undefined : String(value));
