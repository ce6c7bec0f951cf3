/* `node shared/process/ready.ts 4001` exits with 0 when the process on that port of this machine is ready: the health check of containers. */

const port = Number(process.argv[2]);
const isReady = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(4_000) }).then(
  ({ ok }) => ok,
  () => false,
);
process.exitCode = isReady ? 0 : 1;
