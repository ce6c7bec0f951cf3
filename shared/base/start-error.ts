/** A fault that the person who starts a process can mend: told in its message, without a stack. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** Runs the start of a process, and ends it with the message of a fault that can be mended. Any other fault keeps its stack. */
export async function runStart(start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    const told = asStartError(error);
    if (!told) throw error;
    console.error(told.message);
    if (process.env['LOG_LEVEL'] === 'debug') console.error(error);
    process.exit(1);
  }
}

/** A fault of a system call at the start as a line for a person; undefined for a bug. */
function asStartError(error: unknown): StartError | undefined {
  if (error instanceof StartError) return error;
  const { code, port, path, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return new StartError(`Port ${port} is in use by another program. Stop that program, or set another port.`);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return new StartError(`${path ?? message} cannot be written (${code}).`);
  return undefined;
}
