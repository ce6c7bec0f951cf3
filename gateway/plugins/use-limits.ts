import { ApolloArmor } from '@escape.tech/graphql-armor';
import { validate, type DocumentNode, type GraphQLError, type GraphQLSchema, type ValidationContext, type ValidationRule } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { largestOperation } from '../graphql/expanded-size.ts';

/** Limits of one operation, one message and one socket; the same over HTTP and WebSocket. */
export const LIMITS = {
  /** Checked while parsing, so a longer document costs next to nothing. */
  tokens: 1_000,
  aliases: 15,
  directives: 8,
  /** Fields and fragments of one operation with fragments expanded: the work of the planner. */
  expanded: 2_000,
  /** Levels of fields, fragments not counted. A page that shows all of a list has 11. */
  depth: 14,
  /** By the weights of `gateway/cost`: an object 1, times the lists it is in. A page of 50 entries with 11 levels costs about 5,000. */
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

/** Checked before validation and planning, which a small hostile document could keep busy for seconds. */
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
    // The default allows any number of `a: __typename`.
    maxAliases: { ...report, n: aliases, allowList: [] },
    maxDirectives: { ...report, n: directives },
    maxDepth: { ...report, n: depth },
    // It knows neither lists nor variables: see use-cost.
    costLimit: { enabled: false },
  });
  return armor.protect().validationRules;
}
