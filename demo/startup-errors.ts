import { mongo } from 'mongoose';

/** Where the data of a start are, and how to begin with other ones. */
export interface Place {
  name: string;
  anew: string;
}

/** The folder is only ours to empty if we run the store in it. */
export const placeOf = (folder: string, { provided }: { provided: boolean }): Place =>
  provided
    ? { name: 'the MongoDB that MONGODB_URI names', anew: 'Empty it, or give DATABASE_PREFIX another value.' }
    : { name: folder, anew: 'To begin anew and lose what is in that folder: npm start -- --fresh' };

/** An earlier start ended while it loaded the demo. */
export class InterruptedLoad extends Error {
  constructor() {
    super('an earlier start was interrupted while it loaded them');
    this.name = 'InterruptedLoad';
  }
}

/** What a store says about an index that is there with other properties, and about entries that a new unique one cannot hold. */
const MISFITS = new Set<unknown>([85, 86, 11_000]);

/** Why the stores could not be opened, in one line. Throws what is no matter of the stores. */
export function openingError(error: Error, { name, anew }: Place): Error {
  const why = firstLine(error);
  if (MISFITS.has((error as { code?: unknown }).code)) return told(`The data in ${name} do not fit this version of Soko (${why}). ${anew}`);
  if (error instanceof mongo.MongoServerError) return told(`The store refused what the start needs of ${name} (${why}). ${anew}`);
  if (isOutage(error)) return told(`A store went away during the start (${why}). Start again: the data stay in ${name}.`);
  throw error;

  function told(message: string): Error {
    return new Error(message, { cause: error });
  }
}

/** Why the demo is not there, in one line. Half a demo is none, so the only way is to begin anew. */
export const loadingError = (error: Error, { name, anew }: Place): Error =>
  error instanceof InterruptedLoad
    ? new Error(`The demo data in ${name} are incomplete: ${error.message}. ${anew}`)
    : new Error(`The demo data could not be loaded into ${name}: ${firstLine(error)}. ${anew}`, { cause: error });

const firstLine = ({ message }: Error): string => message.split('\n', 1)[0]!.replace(/[.:]$/, '');

/** The driver's, or Redis': its errors are told apart by their words alone. */
const isOutage = (error: Error): boolean =>
  error instanceof mongo.MongoError ||
  error.name === 'MaxRetriesPerRequestError' ||
  /^(?:connect|read) E[A-Z]+|^Connection is closed|^Command timed out/.test(error.message);
