import { Problem } from '../base/errors.ts';

/** For a path, a file or a signed address that is not there: the response does not tell which. */
export const notFoundHere = (): Problem => new Problem('NOT_FOUND', 'There is nothing here.');

export const bodyTooLarge = (): Problem => new Problem('PAYLOAD_TOO_LARGE', 'The body is too large.');
