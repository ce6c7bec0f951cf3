import { parse, type GraphQLSchema } from 'graphql';
import { readAnnotations } from './annotations.ts';
import { readRequirements } from './rights/requirements.ts';
import { createRights, type Rights } from './rights/rights.ts';

/** What the directives of a supergraph lay down for those who ask it. */
export interface Rules {
  rights: Rights;
}

/** Reads the rules of a supergraph once; `schema` is what its clients see. */
export function readRules(supergraphSdl: string, schema: GraphQLSchema): Rules {
  const annotations = readAnnotations(parse(supergraphSdl, { noLocation: true }));
  return { rights: createRights(schema, readRequirements(annotations, schema)) };
}
