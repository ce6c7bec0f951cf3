import type { TestSupergraph } from './supergraph.ts';
import { circles } from './supergraphs/circles.ts';
import { federation1 } from './supergraphs/federation1.ts';
import { hidden } from './supergraphs/hidden.ts';
import { inputs } from './supergraphs/inputs.ts';
import { interfaceObjectRequires } from './supergraphs/interface-object-requires.ts';
import { interfaceObjects } from './supergraphs/interface-objects.ts';
import { interfaces } from './supergraphs/interfaces.ts';
import { keys } from './supergraphs/keys.ts';
import { mismatches } from './supergraphs/mismatches.ts';
import { mutations } from './supergraphs/mutations.ts';
import { nulls } from './supergraphs/nulls.ts';
import { overrides } from './supergraphs/overrides.ts';
import { provides } from './supergraphs/provides.ts';
import { requiresOnInterfaces } from './supergraphs/requires-on-interfaces.ts';
import { requires } from './supergraphs/requires.ts';
import { scalars } from './supergraphs/scalars.ts';
import { sharedRoots } from './supergraphs/shared-roots.ts';
import { streams } from './supergraphs/streams.ts';
import { unions } from './supergraphs/unions.ts';

export const fixtures: TestSupergraph[] = [
  circles,
  federation1,
  hidden,
  inputs,
  interfaceObjectRequires,
  interfaceObjects,
  interfaces,
  keys,
  mismatches,
  mutations,
  nulls,
  overrides,
  provides,
  requires,
  requiresOnInterfaces,
  scalars,
  sharedRoots,
  streams,
  unions,
];
