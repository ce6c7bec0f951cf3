import { ApolloArmor } from '@escape.tech/graphql-armor';
import { validate, type DocumentNode, type GraphQLError, type GraphQLSchema, type ValidationContext, type ValidationRule } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { largestOperation } from '../graphql/expanded-size.ts';

/** What one operation, one message and one socket may be at most; the same over HTTP and WebSocket. */
export const LIMITS = {
  /** Counted while parsing, so a longer document costs next to nothing. */
  tokens: 1_000,
  aliases: 15,
  directives: 8,
  /** Fields and fragments of one operation, each as often as it is spread: what the planner has to look at. */
  expanded: 2_000,
  /** Levels of fields, fragments not counted. A page that shows everything of a list has 11. */
  depth: 14,
  /** By the weights of `gateway/cost`: an object 1, times the lists it is in. A page of 50 entries, 11 levels deep, costs about 5,000. */
  cost: 10_000,
  bodyBytes: 256 * 1024,
  socketMessageBytes: 64 * 1024,
  operationsPerSocket: 50,
};

export type Limits = Readonly<typeof LIMITS>;

export interface UseLimits {
  /** Why an operation is too large; undefined when it is not. The document need not be valid. */
  check: (document: DocumentNode) => Problem | undefined;
}

/** Limits that stand before validation and planning, which a small hostile document would keep busy for seconds. */
export function useLimits(schema: GraphQLSchema, limits: Limits = LIMITS): UseLimits {
  const rules = limitRules(limits);
  const accepted = new WeakSet<DocumentNode>();
  return {
    check(document) {
      if (accepted.has(document)) return undefined;
      if (largestOperation(document) > limits.expanded)
        return new Problem(
          'OPERATION_TOO_COMPLEX',
          `The operation asks for more than ${limits.expanded} fields, each as often as it is spread.`,
        );
      const [error] = validate(schema, document, rules);
      if (error) return new Problem('OPERATION_TOO_COMPLEX', error.message.replace(/^Syntax Error: /, ''));
      accepted.add(document);
      return undefined;
    },
  };
}

/** graphql-armor's rules. Its token limiter stays off: it turns parse errors into server errors. */
function limitRules({ aliases, directives, depth }: Limits): readonly ValidationRule[] {
  const report = {
    onReject: [(context: ValidationContext | null, error: GraphQLError): void => context?.reportError(error)],
    propagateOnRejection: false,
    flattenFragments: true,
  };
  const armor = new ApolloArmor({
    maxTokens: { enabled: false },
    blockFieldSuggestion: { enabled: false },
    // The default would let any number of `a: __typename` through.
    maxAliases: { ...report, n: aliases, allowList: [] },
    maxDirectives: { ...report, n: directives },
    maxDepth: { ...report, n: depth },
    // It knows no lists, and no variables: see use-cost.
    costLimit: { enabled: false },
  });
  return armor.protect().validationRules;
}
