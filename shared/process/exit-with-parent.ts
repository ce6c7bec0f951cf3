/** Ends this process in order once the one that started it is gone, however it went. Without a channel to it nothing happens. */
export function endWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
