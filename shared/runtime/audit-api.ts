import { z } from 'zod';
import { auditModel, AUDIT_PREFIX, UNSEALED, type AuditRow } from '../audit/rows.ts';
import { Problem } from '../base/errors.ts';
import { idsSince } from '../base/ids.ts';
import type { AnyContext } from '../kit/context.ts';
import { defineCommand, type CommandHandler } from '../kit/define-command.ts';
import { connection } from '../store/pagination.ts';
import { forAdmins, isAdmin } from './for-admins.ts';

/* The audit as admins read it: each subgraph answers about its own by command, the operations API shows it in the schema. */

const text = z.string().min(1).max(200).optional();
const Input = z.object({
  actor: text,
  target: text,
  action: text,
  since: z.string().optional(),
  until: z.string().optional(),
  first: z.number().int(),
  after: z.string().max(1_000).optional(),
});
const Output = z.object({
  edges: z.array(z.object({ cursor: z.string(), node: z.record(z.string(), z.unknown()) })),
  hasNextPage: z.boolean(),
});

const listAuditOf = (owner: string) => defineCommand(owner, 'operations-listAudit', { input: Input, output: Output, timeoutMs: 30_000 });

export function auditApiHandlers(owner: string): CommandHandler[] {
  return [
    forAdmins(listAuditOf(owner), async (ctx: AnyContext, { actor, target, action, since, until, first, after }) => {
      const times = {
        ...(since && { $gte: idsSince(AUDIT_PREFIX, new Date(since)) }),
        ...(until && { $lt: idsSince(AUDIT_PREFIX, new Date(until)) }),
      };
      const filter = {
        ...(actor && { actor }),
        ...(target && { 'target.id': target }),
        ...(action && { action: action.startsWith(`${owner}.`) ? action : `${owner}.${action}` }),
        ...(Object.keys(times).length > 0 && { _id: times }),
      };
      const { edges, pageInfo } = await connection<AuditRow>(auditModel(ctx.db), { filter, first, after });
      return { edges: edges.map(({ cursor, node }) => ({ cursor, node: shown(node, owner) })), hasNextPage: pageInfo.hasNextPage };
    }),
  ];
}

const shown = ({ _id, at, target, changes, block, ...row }: AuditRow, subgraph: string): Record<string, unknown> => ({
  ...row,
  id: _id,
  subgraph,
  at: at.toISOString(),
  targetType: target?.type ?? null,
  targetId: target?.id ?? null,
  changes: changes && JSON.stringify(changes),
  block: block === UNSEALED ? null : block,
});

export const auditApiTypeDefs = /* GraphQL */ `
  "A record of the audit: a mutation, a command of an admin or a read of personal data, with its outcome. Visible to admins."
  type AuditEntry @tag(name: "admin") {
    "Begins with aud_."
    id: ID!
    "Subgraph in which it happened."
    subgraph: String!
    "When it happened."
    at: DateTime!
    "Id of the user; anonymous, guest, or system: and a name for work without a user."
    actor: String!
    "Roles of the actor at that time."
    roles: [String!]!
    "Name of the API key of the program; null without one."
    apiKey: String
    "Network address of the client; null for work without a client."
    ip: String
    "Program of the client, as it calls itself; null when it did not say."
    userAgent: String
    "Name of the subgraph, a dot, and the name of the mutation or command."
    action: String!
    "Type of the entity that it concerns; null when only its id is known."
    targetType: String
    "Id of the entity that it concerns; null when it concerns none."
    targetId: String
    "As JSON: the names of the given fields, and those values that the mutation declares as kept. Null when there is nothing to say."
    changes: String
    "OK, STARTED (the first transaction of longer work), REPLAYED (the stored response of an idempotency key), or the code of the refusal."
    outcome: String!
    "Equal refused attempts before this one that were counted and have no entry of their own."
    repeated: Int!
    "Links the log lines of everything that belongs together."
    correlationId: String!
    "Number of the block that seals it; null until it is sealed, usually for a second."
    block: Int
  }

  "A record of the audit and its position. Visible to admins."
  type AuditEntryEdge @tag(name: "admin") {
    "Its position, for the argument after."
    cursor: Cursor!
    "The record."
    node: AuditEntry!
  }

  "A list of records of the audit. Visible to admins."
  type AuditEntryConnection @tag(name: "admin") {
    "The records with their positions."
    edges: [AuditEntryEdge!]!
    "The records."
    nodes: [AuditEntry!]!
    "Position of this page in the list."
    pageInfo: PageInfo!
  }

  extend type Query {
    "The audit of one subgraph, newest first. Each call leaves an entry itself. For admins."
    auditLog(
      "Which subgraph."
      subgraph: String!
      "Only entries of this actor."
      actor: String
      "Only entries that concern the entity with this id."
      target: String
      "Only entries of this action, with or without the name of the subgraph before it."
      action: String
      "Only entries written at this time or later."
      since: DateTime
      "Only entries written before this time."
      until: DateTime
      "How many, at most 100."
      first: Int = 20
      "Those behind this position."
      after: Cursor
    ): AuditEntryConnection
      @policy(policies: [["role:admin"]])
      @tag(name: "admin")
      @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])
  }
`;

interface AuditLogArgs {
  subgraph: string;
  actor?: string | null;
  target?: string | null;
  action?: string | null;
  since?: Date | null;
  until?: Date | null;
  first: number;
  after?: string | null;
}

const NAME = /^[a-z]{1,40}$/;

async function auditLog(_root: unknown, { subgraph, since, until, ...args }: AuditLogArgs, ctx: AnyContext) {
  if (!NAME.test(subgraph)) throw new Problem('UNKNOWN_SUBGRAPH', 'There is no such subgraph.', { path: ['subgraph'] });
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null && value !== undefined));
  const { edges, hasNextPage } = await ctx.call(listAuditOf(subgraph), {
    ...(given as z.infer<typeof Input>),
    ...(since && { since: since.toISOString() }),
    ...(until && { until: until.toISOString() }),
  });
  return {
    edges,
    nodes: edges.map(({ node }) => node),
    pageInfo: {
      hasNextPage,
      hasPreviousPage: Boolean(args.after),
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

export const auditApiResolvers = { Query: { auditLog } };

export const auditApiPermissions = { Query: { auditLog: isAdmin } };
