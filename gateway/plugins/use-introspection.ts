import { BREAK, visit, type DocumentNode } from 'graphql';
import { Problem } from '#shared/base/errors.ts';

export type UseIntrospection = (document: DocumentNode, isKnown: boolean) => Problem | undefined;

/** In production only signed-in viewers and API keys with `introspection` may read the schema; elsewhere everyone. */
export function useIntrospection({ production }: { production: boolean }): UseIntrospection {
  const known = new WeakMap<DocumentNode, boolean>();
  return (document, isKnown) => {
    if (!production || isKnown) return undefined;
    let isIntrospection = known.get(document);
    if (isIntrospection === undefined) known.set(document, (isIntrospection = introspects(document)));
    return isIntrospection ? new Problem('INTROSPECTION_DISABLED', 'Sign in to read the schema.') : undefined;
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
