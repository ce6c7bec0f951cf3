import type { BenchOperation } from './graph/operations.ts';
import type { Measured, Sample, StartedTargets } from './measure.ts';

type Missing = StartedTargets['missing'];

export interface Row {
  name: string;
  label: string;
  small: Sample;
  heavy: Sample;
}

/** The median of all rounds, figure by figure. */
export const rowsOf = (measured: readonly Measured[]): Row[] =>
  measured.map(({ target: { name, label }, samples }) => ({ name, label, small: middleOf(samples.small), heavy: middleOf(samples.heavy) }));

/** For people to read. */
export function tableOf(measured: readonly Measured[], missing: Missing): string {
  const heads = ['CPU us/request', 'requests/s', 'p99 ms', 'subgraph calls'];
  const header = ['', ...heads.map((head) => `small: ${head}`), ...heads.map((head) => `heavy: ${head}`), 'RSS MiB'];
  const rows = rowsOf(measured).map(({ label, small, heavy }) => [
    label,
    ...cells(small),
    ...cells(heavy),
    String(rssOf({ small, heavy })),
  ]);
  const lines = [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return [...lines, ...missing.map(({ target, reason }) => `${target.label}: not measured. ${reason}`)].join('\n');
}

/** Ratios of CPU per request: the median of the rounds' ratios; null where one target was not measured. */
export function figuresOf(measured: readonly Measured[], missing: Missing): Record<string, unknown> {
  const byName = new Map(measured.map((each) => [each.target.name, each.samples]));
  const ratio = (ours: string, theirs: string, operation: BenchOperation['name']): number | null => {
    const [one, other] = [byName.get(ours)?.[operation], byName.get(theirs)?.[operation]];
    if (!one || !other) return null;
    const ratios = one.map(({ cpuMicros }, round) => cpuMicros / other[round]!.cpuMicros);
    return rounded(middle(ratios), 2);
  };
  return {
    inProcessToMonolith: ratio('soko-in-process', 'monolith', 'small'),
    inProcessToMonolithHeavy: ratio('soko-in-process', 'monolith', 'heavy'),
    knownInProcessToMonolith: ratio('soko-known', 'monolith', 'small'),
    knownInProcessToMonolithHeavy: ratio('soko-known', 'monolith', 'heavy'),
    httpToHiveRouterSmall: ratio('soko-http', 'hive-router', 'small'),
    httpToHiveRouterHeavy: ratio('soko-http', 'hive-router', 'heavy'),
    httpToHiveRustSmall: ratio('soko-http', 'hive-rust', 'small'),
    httpToHiveRustHeavy: ratio('soko-http', 'hive-rust', 'heavy'),
    raw: Object.fromEntries(rowsOf(measured).map(({ name, small, heavy }) => [name, { small: tidy(small), heavy: tidy(heavy) }])),
    missing: Object.fromEntries(missing.map(({ target, reason }) => [target.name, reason.split('\n', 1)[0]])),
  };
}

const cells = ({ cpuMicros, requestsPerSecond, p99Ms, subgraphCalls }: Sample): string[] => [
  String(rounded(cpuMicros)),
  String(rounded(requestsPerSecond)),
  String(rounded(p99Ms, 1)),
  String(rounded(subgraphCalls, 1)),
];

const rssOf = ({ small, heavy }: Pick<Row, 'small' | 'heavy'>): number => rounded(Math.max(small.rssMiB, heavy.rssMiB));

const tidy = (sample: Sample): Record<string, number> =>
  Object.fromEntries(Object.entries(sample).map(([name, value]) => [name, rounded(value as number, 1)]));

function middleOf(samples: readonly Sample[]): Sample {
  const each = (name: keyof Sample): number[] => samples.map((sample) => sample[name]);
  return {
    cpuMicros: middle(each('cpuMicros')),
    requestsPerSecond: middle(each('requestsPerSecond')),
    p99Ms: middle(each('p99Ms')),
    rssMiB: Math.max(...each('rssMiB')),
    subgraphCalls: middle(each('subgraphCalls')),
  };
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function rounded(value: number, places = 0): number {
  const scale = 10 ** places;
  return Math.round(value * scale) / scale;
}
