/** Ends this process in order once its parent has ended, for whatever reason. Does nothing without an IPC channel to the parent. */
export function exitWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
