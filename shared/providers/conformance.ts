import type { EffectCall } from './effect.ts';
import type { Provider } from './define-provider.ts';

/*
 * One suite for each provider, in `<name>.conformance.ts` beside it: it runs against the sandbox in tests, and with keys against the real third
 * party by `npm run providers -- NAME --live`.
 */

/** What a case may ask of the sandbox. */
export interface SandboxControl {
  url: string;
  received(thirdParty?: string): { thirdParty: string; kind: string; data?: unknown }[];
  fault(fault: { thirdParty: string; kind: string; times?: number; afterMs?: number; request?: string }): void;
  control(thirdParty: string, body: unknown): unknown;
}

export interface ConformanceCase<P> {
  /** A promise in the present tense. */
  title: string;
  run(provider: P): Promise<void>;
}

export interface SandboxCase<P> {
  title: string;
  run(provider: P, sandbox: SandboxControl): Promise<void>;
}

/** How the generated test of a call with an effect calls it, and counts what happened. */
export interface EffectCase<P> {
  call(provider: P): EffectCall;
  input: unknown;
  /** Its name in the sandbox. */
  thirdParty: string;
  /** The request that has the effect, so that the answer of that one is lost: `POST /letters`. */
  request: string;
  /** Whether an entry of the sandbox is the effect with this id. */
  isEffect(entry: { kind: string; data?: unknown }, ownId: string): boolean;
}

export interface Conformance<P = any> {
  provider: Provider<P>;
  /** Run against the sandbox and against the real third party. */
  cases: readonly ConformanceCase<P>[];
  /** Run against the sandbox only: faults, and what a test decides. */
  sandboxCases: readonly SandboxCase<P>[];
  /** Every call of the provider that is an `effectCall`, by name. */
  effects: Readonly<Record<string, EffectCase<P>>>;
}

export function defineConformance<P>(
  provider: Provider<P>,
  { cases = [], sandboxCases = [], effects = {} }: Partial<Omit<Conformance<P>, 'provider'>>,
): Conformance<P> {
  return { provider, cases, sandboxCases, effects };
}

/** Calls with an effect that the suite does not list, so that none goes without its test. */
export function untestedEffects(provider: object | null, { effects }: Conformance): string[] {
  const isEffectCall = (value: unknown): boolean => typeof value === 'function' && 'effect' in value;
  return Object.entries(provider ?? {})
    .filter(([name, value]) => isEffectCall(value) && !(name in effects))
    .map(([name]) => name);
}
