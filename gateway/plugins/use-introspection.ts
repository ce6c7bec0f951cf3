import { BREAK, visit, type DocumentNode } from 'graphql';
import { Problem } from '#shared/base/errors.ts';

export type UseIntrospection = (document: DocumentNode, isKnown: boolean) => Problem | undefined;

/** In production the schema is shown to those who have signed in, or have a key that says so; elsewhere to everyone. */
export function useIntrospection({ production }: { production: boolean }): UseIntrospection {
  const asking = new WeakMap<DocumentNode, boolean>();
  return (document, isKnown) => {
    if (!production || isKnown) return undefined;
    let asks = asking.get(document);
    if (asks === undefined) asking.set(document, (asks = introspects(document)));
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
