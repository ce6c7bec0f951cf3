/**
 * `CRASH_AT=<saga>.<step>:before|after` (or `...:undo-before|undo-after`) kills this process at that place, as a power cut would; for the
 * crash tests. Several places are parted by commas.
 */
const places = new Set((process.env['CRASH_AT'] ?? '').split(',').filter(Boolean));

export function crashPoint(place: string): void {
  if (places.has(place)) process.kill(process.pid, 'SIGKILL');
}
