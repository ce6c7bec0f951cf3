import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMON_CODES } from '#shared/base/errors.ts';
import { allOperationsPermissions, operationsApiTypeDefs } from '#shared/runtime/build-schema.ts';
import { rootFieldsGuardedOtherwise, rootFieldsOfNobody } from './audience.ts';
import { readRefusals } from './codes.ts';
import { readSdl } from './document.ts';
import { productionSources, ROOT } from './load-subgraph.ts';
import {
  declaredRefusals,
  enumsThatSeemClosed,
  mandatoryOwnParts,
  mutationsOfOtherShape,
  rootFieldsWithoutRule,
  unboundedLists,
  undescribed,
} from './sdl.ts';

/** Codes that leave as errors of the whole request, never in `userErrors`: they are no values of UserErrorCode. */
const TOP_LEVEL_ONLY = new Set([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'COMPENSATED_BY_ADMIN',
  'CURSOR_EXPIRED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'INTERNAL_SERVER_ERROR',
  'INTROSPECTION_DISABLED',
  'INVALID_CURSOR',
  'METHOD_NOT_ALLOWED',
  'OPERATION_RESOLUTION_FAILURE',
  'OPERATION_TOO_COMPLEX',
  'OPERATION_UNSATISFIABLE',
  'OVERLOADED',
  'PAYLOAD_TOO_LARGE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'RATE_LIMITED',
  'SLOW_CONSUMER',
  'SUBGRAPH_ANSWER_INVALID',
  'SUBGRAPH_ERROR',
  'SUBGRAPH_UNAVAILABLE',
  'SUBSCRIPTION_NOT_SUPPORTED',
  'SUBSCRIPTION_OVER_HTTP',
  'TIMEOUT',
  'TOO_MANY_OPERATIONS',
  'UNAUTHENTICATED',
  'UNKNOWN_COMMAND',
  'UNKNOWN_EVENT',
  'UNKNOWN_OPERATION',
]);

/** Rules that the kit breaks in what it adds to every subgraph, and codes that it and the gateway throw without declaring them. */
export function kitFaults(root: string): string[] {
  const preamble = readFileSync(join(ROOT, 'shared/kit/common-types.graphql'), 'utf8');
  const kit = readSdl(`${preamble}\n${operationsApiTypeDefs}`, allOperationsPermissions, new Set());
  const own = readSdl(operationsApiTypeDefs, allOperationsPermissions, new Set());
  const { codes } = declaredRefusals(kit);
  const common = declaredRefusals(readSdl(preamble, {}, new Set())).codes;
  const thrown = ['shared', 'gateway'].flatMap((folder) => readRefusals(productionSources(folder, root)).thrown);
  const undeclared = thrown.filter(({ code }) => !codes.includes(code) && !(code in COMMON_CODES));
  return [
    ...rootFieldsWithoutRule(kit).map((field) => `${field} has no permission`),
    ...mutationsOfOtherShape(kit).map((fault) => `mutation ${fault}`),
    ...undescribed(kit).map((place) => `${place} has no description`),
    ...enumsThatSeemClosed(kit).map((type) => `enum ${type} does not say "Values may be added."`),
    ...unboundedLists(kit),
    ...mandatoryOwnParts(kit).map((field) => `${field} must be nullable`),
    ...rootFieldsGuardedOtherwise(own),
    ...rootFieldsOfNobody(own).map((field) => `${field} is in no graph contract; add @tag for each audience`),
    ...new Set(undeclared.map(({ code, file }) => `${file} throws ${code}, which is no code of shared/base/errors.ts`)),
    ...common.filter((code) => !(code in COMMON_CODES)).map((code) => `UserErrorCode.${code} is no code of shared/base/errors.ts`),
    ...Object.keys(COMMON_CODES)
      .filter((code) => !common.includes(code) && !TOP_LEVEL_ONLY.has(code))
      .map((code) => `the code ${code} is in errors.ts but not in UserErrorCode of common-types.graphql`),
  ].map((fault) => `shared/kit: ${fault}`);
}
