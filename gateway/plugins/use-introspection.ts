import { BREAK, visit, type DocumentNode } from 'graphql';
import { Problem } from '../../shared/errors.ts';
import type { Viewer } from '../../shared/identity.ts';

export type UseIntrospection = (document: DocumentNode, viewer: Viewer | null) => Problem | undefined;

/** In production the schema is shown to those who have signed in; elsewhere to everyone. */
export function useIntrospection({ production }: { production: boolean }): UseIntrospection {
  const known = new WeakMap<DocumentNode, boolean>();
  return (document, viewer) => {
    if (!production || viewer) return undefined;
    let asks = known.get(document);
    if (asks === undefined) known.set(document, (asks = introspects(document)));
    return asks ? new Problem('INTROSPECTION_DISABLED', 'Sign in to read the schema.') : undefined;
  };
}

function introspects(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Field({ name }) {
      if (name.value !== '__schema' && name.value !== '__type') return undefined;
      found = true;
      return BREAK;
    },
  });
  return found;
}
