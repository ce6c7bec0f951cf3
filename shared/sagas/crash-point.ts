/**
 * `CRASH_AT=<saga>.<step>:before|after` (or `...:undo-before|undo-after`) kills this process at that place, as a power cut would; for the
 * crash tests. Several places are parted by commas. Read each time, since a test names the place while the process already runs.
 */
export function crashPoint(place: string): void {
  const places = process.env['CRASH_AT'];
  if (places?.split(',').includes(place)) process.kill(process.pid, 'SIGKILL');
}
