import { mongoose } from '#shared/store/mongo.ts';
import type { Model } from 'mongoose';
import { COMMON_CODES } from '#shared/base/errors.ts';
import { isAuditedMutation } from '#shared/kit/mutation.ts';
import { isAuthorizedPerEvent } from '#shared/kit/topic-stream.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { rootFieldsGuardedOtherwise, rootFieldsOfNobody } from './audience.ts';
import type { Refusals } from './codes.ts';
import { readmeFaults } from './folder.ts';
import { isResolvable, typesOf } from './document.ts';
import type { LoadedSubgraph } from './load-subgraph.ts';
import { fieldsWithoutResolver, resolversWithoutField, rulesWithoutField } from './resolvers.ts';
import { retentionFaults } from './retention.ts';
import {
  declaredRefusals,
  entitiesOfNobody,
  entitiesWithoutRule,
  enumsThatSeemClosed,
  mandatoryForeignFields,
  mandatoryOwnParts,
  mutationsOfOtherShape,
  rootFieldsWithoutRule,
  unboundedLists,
  undescribed,
} from './sdl.ts';

/** What the rules of one subgraph must know of the rest of the project. */
export interface Surroundings {
  /** Every event and every job that a contract declares. */
  declared: ReadonlySet<unknown>;
  /** Codes and types of refusals that the kit declares for all. */
  common: { types: string[] };
  kit: Refusals;
  /** The refusals in the code of another subgraph. */
  refusalsOf: (name: string) => Refusals;
}

/** Not connected: what is declared can be read without a store. */
const db = mongoose.createConnection();

/** Every rule that the files of one subgraph break, one line each. */
export function subgraphFaults(loaded: LoadedSubgraph, surroundings: Surroundings): string[] {
  const { subgraph, owns, name } = loaded;
  const named = new Set([...owns, ...loaded.extends]);
  // An entity that the README does not name is told once; the other rules take it for an own one.
  const unnamed = typesOf(loaded.sdl.document).filter((type) => isResolvable(type) && !named.has(type.name));
  const sdl = { ...loaded.sdl, owned: new Set([...owns, ...unnamed.map((type) => type.name)]) };
  const models = Object.values(subgraph.models(db.useDb(name, { useCache: false })) as Record<string, Model<unknown>>);
  const paths = new Map(models.map((model) => [model.modelName, rowFields(model)]));
  const withoutRule = rootFieldsWithoutRule(sdl);
  const guarded = rootFieldsGuardedOtherwise(sdl).filter((fault) => !withoutRule.some((field) => fault.startsWith(`${field} `)));
  return [
    ...(subgraph.name === name ? [] : [`subgraph.ts calls itself ${subgraph.name}; a subgraph is called like its folder`]),
    ...each(withoutRule, (field) => `${field} has no permission; add a rule to permissions.ts`),
    ...each(rulesWithoutField(sdl), (field) => `permissions.ts has a rule for ${field}, which the schema does not have`),
    ...each(entitiesWithoutRule(sdl), (type) => `${type} has no permission for its fields; add '*' to permissions.ts`),
    ...each(resolversWithoutField(sdl, subgraph.resolvers), (field) => `resolvers.ts has ${field}, which the schema does not have`),
    ...each(fieldsWithoutResolver(sdl, subgraph.resolvers, paths), (field) => `${field} has no resolver and no field of its row`),
    ...each(undescribed(sdl), (place) => `${place} has no description`),
    ...each(guarded, (fault) => `${fault}: let the schema and permissions.ts say the same`),
    ...each(rootFieldsOfNobody(sdl), (field) => `${field} is in no graph contract; add @tag for each audience`),
    ...each(entitiesOfNobody(sdl, named), (fault) => `${fault}; say in README.md what is owned and extended`),
    ...mutationsOfOtherShape(sdl).map((fault) => `mutation ${fault}`),
    ...each(enumsThatSeemClosed(sdl), (type) => `enum ${type} does not say "Values may be added."`),
    ...each(mandatoryForeignFields(sdl), (field) => `${field} must be nullable: the owner of the entity may be down`),
    ...each(mandatoryOwnParts(sdl), (field) => `${field} must be nullable: this subgraph may be down`),
    ...unboundedLists(sdl),
    ...retentionFaults(models, scheduledJobs(subgraph)),
    ...streamFaults(subgraph),
    ...messageFaults(loaded, surroundings),
    ...refusalFaults(loaded, surroundings),
  ];
}

const each = (found: readonly string[], line: (place: string) => string): string[] => found.map(line);

/** What a row has by itself: the top-level names of the schema and its virtuals. A row has no `id`: it has an `_id`. */
const rowFields = (model: Model<unknown>): Set<string> =>
  new Set([...Object.keys(model.schema.paths).map((path) => path.split('.')[0]!), ...Object.keys(model.schema.virtuals)].filter(isNotId));

const isNotId = (name: string): boolean => name !== 'id';

const scheduledJobs = ({ handlers }: Subgraph): string[] =>
  handlers.flatMap((handler) => ((handler.kind === 'job' && handler.schedule) || handler.kind === 'schedule' ? [handler.job.type] : []));

function streamFaults({ resolvers }: Subgraph): string[] {
  const streams = Object.entries<{ subscribe?: object }>(resolvers['Subscription'] ?? {});
  const mutations = Object.entries<object>(resolvers['Mutation'] ?? {});
  return [
    ...streams
      .filter(([, { subscribe }]) => subscribe && !isAuthorizedPerEvent(subscribe))
      .map(([field]) => `Subscription.${field} does not ask for rights at each event; make it with topicStream`),
    ...mutations
      .filter(([, resolver]) => !isAuditedMutation(resolver))
      .map(([field]) => `Mutation.${field} leaves no audit row; make it with mutation()`),
  ];
}

function messageFaults({ name, subgraph, events, commands, readme }: LoadedSubgraph, { declared }: Surroundings): string[] {
  const heard = subgraph.handlers.flatMap((handler) => (handler.kind === 'event' ? [handler.event] : []));
  const answered = subgraph.handlers.flatMap((handler) => (handler.kind === 'command' ? [handler.command.name] : []));
  const messages = {
    publishes: events.map(({ type }) => type),
    subscribesTo: heard.filter((event) => declared.has(event)).map(({ type }) => type),
    handles: commands.map((command) => command.name.split('.')[1]!),
  };
  const names = commands.map((command) => command.name);
  return [
    ...readmeFaults(readme, name, messages).map((fault) => `README.md ${fault}`),
    ...heard
      .filter((event) => !declared.has(event))
      .map(
        ({ type }) => `handlers.ts subscribes to ${type}, which no contract.ts declares; import the event from the contract of its owner`,
      ),
    ...commands
      .filter(({ owner }) => owner !== name)
      .map((command) => `contract.ts declares the command ${command.name}, which must begin with ${name}`),
    ...names.filter((command) => !answered.includes(command)).map((command) => `handlers.ts does not handle the command ${command}`),
    ...answered
      .filter((command, index) => !names.includes(command) || answered.indexOf(command) !== index)
      .map((command) => `handlers.ts handles the command ${command}, which contract.ts does not declare, or does it twice`),
  ];
}

/** Codes that are thrown but not declared, and declared but never thrown, here or by a subgraph that is called. */
function refusalFaults({ sdl, refusals, uses }: LoadedSubgraph, { common, kit, refusalsOf }: Surroundings): string[] {
  const { codes, types } = declaredRefusals(sdl);
  const sources = [refusals, kit, ...[...uses].map(refusalsOf)];
  const undocumented = refusals.thrown.filter(({ code }) => !codes.includes(code) && !(code in COMMON_CODES));
  return [
    ...new Set(
      undocumented.map(({ code, file }) => `${file} throws ${code}, which the schema does not declare; extend enum UserErrorCode`),
    ),
    ...refusals.types
      .filter((type) => !types.includes(type) && !common.types.includes(type))
      .map((type) => `a refusal is of the type ${type}, which the schema does not have as a UserError`),
    ...codes
      .filter((code) => !sources.some(({ mentioned }) => mentioned.has(code)))
      .map((code) => `UserErrorCode.${code} is declared, but nothing throws it`),
    ...types
      .filter((type) => !sources.some((source) => source.types.includes(type)))
      .map((type) => `type ${type} is declared as a UserError, but nothing throws it`),
  ];
}
