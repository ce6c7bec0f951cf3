/** What this reporter reads of jest's results. */
interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numRuntimeErrorTestSuites: number;
}

/** Says in the very last line of a run how many tests passed and failed. */
export default class ClosingLine {
  onRunComplete(_contexts: unknown, results: Results): void {
    // Jest prints its own summary after every other reporter, wherever that one stands in the list.
    process.once('exit', () => process.stdout.write(`${closingLine(results)}\n`));
  }
}

/** A file that could not be run at all counts as one failed test, since none of its tests is in the other figures. */
export function closingLine({ numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites }: Results): string {
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
  return `tests: ${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed${skipped}`;
}
