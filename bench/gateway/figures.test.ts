import { expect, test } from '@jest/globals';
import { figuresOf, tableOf } from './figures.ts';
import type { Measured } from './measure.ts';

const measured = (name: string, micros: number[]): Measured => {
  const samples = micros.map((cpuMicros) => ({ cpuMicros, requestsPerSecond: 1_000, p99Ms: 1, rssMiB: cpuMicros, subgraphCalls: 3 }));
  return { target: { name, label: name, prepare: async () => ({ missing: '' }) }, samples: { small: samples, heavy: samples } };
};

test('a ratio is the middle of those of the rounds: a round that was disturbed for both does not move it', () => {
  const figures = figuresOf([measured('soko-http', [50, 100, 4_000]), measured('hive-router', [100, 200, 8_000])], []);

  expect(figures).toMatchObject({ httpToHiveRouterSmall: 0.5, httpToHiveRouterHeavy: 0.5 });
});

test('what could not be measured is null, and the reason is told', () => {
  const { target } = measured('hive-router', []);
  const missing = [{ target, reason: 'There is no cargo\nand more' }];

  expect(figuresOf([measured('soko-http', [50])], missing)).toMatchObject({
    httpToHiveRouterSmall: null,
    missing: { 'hive-router': 'There is no cargo' },
  });
  expect(tableOf([], missing)).toContain('hive-router: not measured. There is no cargo');
});
