import { basename } from 'node:path';

/** File names that were given up, and the standard term that took their place (docs/glossary.md). */
const GIVEN_UP: Readonly<Record<string, string>> = {
  alone: 'serve-process',
  annotations: 'applied-directives',
  answer: 'response',
  'answer-errors': 'response-errors',
  'answer-shape': 'response-check',
  'ask-subgraph': 'execute-subgraph-request',
  asked: 'request-params',
  besides: 'extra-selections',
  bill: 'cost-tree',
  callers: 'request-context',
  channel: 'async-queue',
  copies: 'snapshots',
  cut: 'filter-operation',
  dangling: 'unresolved-references',
  departure: 'client-disconnect',
  departures: 'client-disconnect',
  direct: 'fast-path',
  edge: 'routes',
  equality: 'conformance',
  fewer: 'shrink',
  'fill-in': 'merge-cached',
  flights: 'single-flight',
  follow: 'watch-file',
  foreign: 'external-subgraphs',
  forms: 'normalize-subscription',
  gaps: 'null-filtered',
  group: 'serve-group, shared-subscription',
  grouping: 'distinct-representations',
  'guard-engine': 'with-authorization',
  'hand-over': 'warm-up',
  house: 'project rules',
  'http-line': 'http-stream-writer',
  kept: 'cache',
  known: 'persisted-operations',
  lending: 'request-scope',
  manifest: 'rover-config',
  'meter-engine': 'with-cost',
  orphans: 'orphaned-sessions',
  outlet: 'send-queue',
  owner: 'lease-holder',
  ports: 'providers',
  preamble: 'common-types',
  preparations: 'plan-cache',
  relay: 'outbox-relay',
  'same-for-all': 'entity-max-age',
  sealed: 'encrypted-fields',
  'settled-conditions': 'fold-conditions',
  stamps: 'cache-tags',
  turns: 'tick-limiter, keyed-mutex',
  unanswerable: 'unsatisfiable',
  vault: 'encryption',
  wire: 'problem-json',
  wording: 'validation-messages',
  worlds: 'fixtures',
};

/** TCP ports are called so. */
const MEANT = new Set(['demo/ports.ts', 'demo/ports.test.ts', 'shared/services/ports.ts']);

/** Each file that has a name which was given up, as `file: what to call it`. */
export function givenUpNames(files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const name = basename(file).replace(/(?:\.test)?\.\w+$/, '');
    const term = Object.hasOwn(GIVEN_UP, name) && !MEANT.has(file) ? GIVEN_UP[name] : undefined;
    return term === undefined ? [] : [`${file}: the name ${name} was given up; the standard term is ${term}`];
  });
}
