import { expect, test } from '@jest/globals';
import { figuresOf, tableOf } from './figures.ts';
import type { Measured } from './measure.ts';

const measured = (name: string, micros: number[]): Measured => {
  const samples = micros.map((cpuMicros) => ({ cpuMicros, requestsPerSecond: 1_000, p99Ms: 1, rssMiB: cpuMicros, subgraphCalls: 3 }));
  return { target: { name, label: name, prepare: async () => ({ missing: '' }) }, samples: { small: samples, heavy: samples } };
};

test("takes the median of the rounds' ratios: a round that disturbed both targets does not move it", () => {
  const figures = figuresOf([measured('soko-http', [50, 100, 4_000]), measured('hive-router', [100, 200, 8_000])], []);

  expect(figures).toMatchObject({ httpToHiveRouterSmall: 0.5, httpToHiveRouterHeavy: 0.5 });
});

test('reports null and the reason for what could not be measured', () => {
  const { target } = measured('hive-router', []);
  const missing = [{ target, reason: 'There is no cargo\nand more' }];

  expect(figuresOf([measured('soko-http', [50])], missing)).toMatchObject({
    httpToHiveRouterSmall: null,
    missing: { 'hive-router': 'There is no cargo' },
  });
  expect(tableOf([], missing)).toContain('hive-router: not measured. There is no cargo');
});
