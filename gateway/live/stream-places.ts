import { Problem } from '#shared/base/errors.ts';
import type { Places } from '#shared/base/quota.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';

/** One place for each open stream, socket or connection: of a viewer, or of an address where there is none. */
export interface StreamPlaces {
  viewers: Places;
  addresses: Places;
}

/** Takes a place and returns what gives it back, once. Throws TOO_MANY_OPERATIONS when the caller has none left. */
export function takePlace({ viewers, addresses }: StreamPlaces, { identity }: Pick<RequestContext, 'identity'>): () => void {
  const { viewer, client } = identity;
  const free = viewer ? viewers.take(viewer.id) : addresses.take(client?.ip ?? '');
  if (!free) throw new Problem('TOO_MANY_OPERATIONS', 'Too many streams are open: end one first.', { retryable: true });
  return free;
}
