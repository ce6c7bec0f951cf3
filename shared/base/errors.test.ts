import { describe, expect, test } from '@jest/globals';
import { buildSchema, GraphQLError, graphql, parse, validate, type GraphQLFormattedError } from 'graphql';
import { forbidden, invalid, isProblem, maskError, notFound, Problem, problemOf, unauthenticated, unavailable } from './errors.ts';

const schema = buildSchema(`
  type Query { note(id: ID, length: Int): Note, write(input: Draft!): Boolean }
  input Draft { title: String, parts: [Part!]! }
  input Part { size: Int! }
  type Note { text: String!, count: Int, tag(name: String! = "a"): String }
`);

function recorder() {
  const lines: { facts: Record<string, unknown>; message: string }[] = [];
  return {
    lines,
    log: {
      error: (facts: object, message: string) => void lines.push({ facts: { ...facts }, message }),
    },
  };
}

async function ask(source: string, note: () => unknown, variableValues = {}) {
  const { lines, log } = recorder();
  const { errors = [] } = await graphql({ schema, source, rootValue: { note }, variableValues });
  return {
    answers: errors.map((error): GraphQLFormattedError => maskError(error, { correlationId: 'c-1', log })),
    lines,
  };
}

describe('Problem', () => {
  test('carries its code and facts, and what it means for the caller', () => {
    const problem = new Problem('TOO_LONG', 'The note is too long.', {
      path: ['text'],
      typename: 'TooLongError',
      most: 5,
    });

    expect(problem.extensions).toEqual({
      code: 'TOO_LONG',
      path: ['text'],
      most: 5,
      retryable: false,
    });
    expect(problem).toMatchObject({
      code: 'TOO_LONG',
      typename: 'TooLongError',
      facts: { most: 5 },
      inputPath: ['text'],
    });
    expect(isProblem(problem)).toBe(true);
    expect(isProblem(new Error('no'))).toBe(false);
  });

  test('keeps its cause without showing it', () => {
    const cause = new Error('connect ECONNREFUSED 10.0.0.1');

    expect(unavailable('store', cause)).toMatchObject({
      cause,
      extensions: { code: 'UNAVAILABLE', retryable: true },
    });
    expect(JSON.stringify(unavailable('store', cause))).not.toContain('10.0.0.1');
  });

  test.each([
    [notFound('Note', 'nte_1'), { code: 'NOT_FOUND', type: 'Note', id: 'nte_1', retryable: false }],
    [notFound('Note', 'nte_1', ['input', 'id']), { code: 'NOT_FOUND', type: 'Note', id: 'nte_1', path: ['input', 'id'], retryable: false }],
    [forbidden(), { code: 'FORBIDDEN', retryable: false }],
    [unauthenticated(), { code: 'UNAUTHENTICATED', retryable: false }],
    [invalid(['lines', 0], 'No.'), { code: 'INVALID', path: ['lines', 0], retryable: false }],
  ])('names the common refusal %s', (problem, extensions) => {
    expect(problem.extensions).toEqual(extensions);
    expect(problem.typename).toBe('PlainUserError');
  });
});

describe('maskError', () => {
  test('lets a Problem pass with its place in the answer', async () => {
    const { answers, lines } = await ask('{ alias: note { text } }', () => {
      throw new Problem('GONE', 'It is gone.', { since: 3 });
    });

    expect(answers).toEqual([
      {
        message: 'It is gone.',
        path: ['alias'],
        locations: [{ line: 1, column: 3 }],
        extensions: { code: 'GONE', since: 3, retryable: false, correlationId: 'c-1' },
      },
    ]);
    expect(lines).toEqual([]);
  });

  test.each([
    ['not GraphQL', '{ note', 'GRAPHQL_PARSE_FAILED', {}],
    ['an unknown field', '{ notes { text } }', 'GRAPHQL_VALIDATION_FAILED', {}],
    ['a literal of the wrong type', '{ note(length: "a") { text } }', 'GRAPHQL_VALIDATION_FAILED', {}],
    ['two operations and no name', 'query A { note { text } } query B { note { text } }', 'OPERATION_RESOLUTION_FAILURE', {}],
  ])('blames the request for %s', async (_case, source, code, variables) => {
    const { answers, lines } = await ask(source, () => ({ text: 'a' }), variables);

    expect(answers).toHaveLength(1);
    expect(answers[0]?.extensions).toEqual({ code, retryable: false, correlationId: 'c-1' });
    expect(lines).toEqual([]);
  });

  const WRITE = 'query ($input: Draft!) { write(input: $input) }';
  test.each<[string, Record<string, unknown>]>([
    ['an unknown field', { secret: 'hunter2 "; at "x"; ', extra: 1 }],
    ['a value of another type', { text: { secret: 'hunter2' } }],
    ['a field that is missing', { secret: 'hunter2' }],
  ])('says no value of a variable with %s', async (_case, input) => {
    const { answers } = await ask(WRITE, () => ({ text: 'a' }), { input });

    expect(answers.length).toBeGreaterThan(0);
    for (const { message } of answers) expect(message).toMatch(/^Variable "\$input" got invalid value[^;]*; /);
    expect(JSON.stringify(answers)).not.toContain('hunter2');
  });

  test.each<[string, string, Record<string, unknown>, (string | number)[]]>([
    ['a variable of the wrong type', 'query ($n: Int) { note(length: $n) { text } }', { n: 'a' }, ['n']],
    ['a variable that is missing', 'query ($n: Int!) { note(length: $n) { text } }', {}, ['n']],
    ['null for an argument that needs a value', 'query ($n: String) { note { tag(name: $n) } }', { n: null }, ['name']],
    ['an object that is none', WRITE, { input: 'a' }, ['input']],
    ['an entry of the wrong type', WRITE, { input: { parts: [{ size: 1 }, { size: 1.5 }] } }, ['input', 'parts', 1, 'size']],
    ['null in a list', WRITE, { input: { parts: [null] } }, ['input', 'parts', 0]],
    ['a field that is missing', WRITE, { input: { parts: [{}] } }, ['input', 'parts', 0, 'size']],
    ['a field that nobody knows', WRITE, { input: { parts: [], $ne: null } }, ['input', '$ne']],
    [
      'a value that looks like a path',
      WRITE,
      { input: { parts: [{ size: '1 at "input.title"; Field "x" is not defined by type "T"' }] } },
      ['input', 'parts', 0, 'size'],
    ],
  ])('says where in the input there is %s', async (_case, source, variables, path) => {
    const { answers } = await ask(source, () => ({ text: 'a' }), variables);

    expect(answers[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', path, retryable: false, correlationId: 'c-1' });
  });

  test.each([
    [
      'an error of a driver',
      () => {
        throw new Error('secret mongodb://u:p@10.0.0.1');
      },
    ],
    ['a null where none may be', () => ({ text: null })],
    ['a value that does not fit its type', () => ({ text: 'a', count: 'secret' })],
    [
      'a GraphQLError without a code',
      () => {
        throw new GraphQLError('secret');
      },
    ],
    [
      'a GraphQLError with a code nobody knows',
      () => {
        throw new GraphQLError('secret', { extensions: { code: 'X', url: 'http://10.0.0.1' } });
      },
    ],
  ])('hides and logs %s', async (_case, note) => {
    const { answers, lines } = await ask('{ note { text count } }', note);

    expect(answers).toEqual([
      {
        message: 'Something went wrong on our side.',
        path: expect.arrayContaining(['note']),
        locations: [expect.anything()],
        extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, correlationId: 'c-1' },
      },
    ]);
    expect(lines).toEqual([
      {
        message: 'unexpected error',
        facts: expect.objectContaining({ correlationId: 'c-1', err: expect.any(Error) }),
      },
    ]);
  });

  test('keeps the codes that Apollo Server gives, and nothing else that comes with them', () => {
    const error = new GraphQLError('Unknown hash', {
      extensions: {
        code: 'PERSISTED_QUERY_NOT_FOUND',
        http: { status: 200 },
        stacktrace: ['at x'],
      },
    });

    expect(maskError(error, { correlationId: 'c-1', log: recorder().log })).toEqual({
      message: 'Unknown hash',
      extensions: { code: 'PERSISTED_QUERY_NOT_FOUND', retryable: false, correlationId: 'c-1' },
    });
  });

  test.each(['MongoServerSelectionError', 'MongoNetworkError', 'MongoPoolClearedError', 'MaxRetriesPerRequestError'])(
    'says of a store that does not answer (%s) that it is worth another try, and no word of where it is',
    async (name) => {
      const { answers, lines } = await ask('{ note { text } }', () => {
        throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:27017'), { name });
      });

      expect(answers).toMatchObject([{ path: ['note'], extensions: { code: 'UNAVAILABLE', retryable: true, correlationId: 'c-1' } }]);
      expect(JSON.stringify(answers)).not.toMatch(/10\.0\.0\.7|ECONNREFUSED|Mongo/);
      expect(lines).toHaveLength(1);
    },
  );

  test.each([
    ['broken in a bulk write', { name: 'MongoBulkWriteError', beforeHandshake: false }],
    ['not found for a bulk write', { name: 'MongoBulkWriteError', reason: {} }],
    ['in conflict to the end', { name: 'MongoServerError', code: 112, errorLabels: ['TransientTransactionError'] }],
  ])('says of a store %s that it is worth another try', async (_case, fields) => {
    const { answers } = await ask('{ note { text } }', () => {
      throw Object.assign(new Error('read ECONNRESET'), fields);
    });

    expect(answers).toMatchObject([{ extensions: { code: 'UNAVAILABLE', retryable: true } }]);
  });

  test('takes other errors of a store for what they are: ours', async () => {
    const { answers } = await ask('{ note { text } }', () => {
      throw Object.assign(new Error('E11000 duplicate key'), { name: 'MongoServerError' });
    });

    expect(answers).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false } }]);
  });

  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap');
      },
      getPrototypeOf: () => {
        throw new Error('trap');
      },
    },
  );

  test.each([[undefined], [null], [7], ['text'], [Symbol('s')], [hostile], [Object.create(null)], [new AggregateError([])]])(
    'answers whatever it is given, case %#',
    (thrown) => {
      const log = {
        error: () => {
          throw new Error('the log is broken too');
        },
      };

      expect(maskError(thrown, { correlationId: 'c-1', log })).toEqual({
        message: 'Something went wrong on our side.',
        extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, correlationId: 'c-1' },
      });
    },
  );

  test('finds the Problem that graphql-js has wrapped', () => {
    const problem = forbidden();
    const wrapped = new GraphQLError('outer', {
      originalError: new GraphQLError('inner', { originalError: problem }),
    });

    expect(problemOf(wrapped)).toBe(problem);
    expect(problemOf(validate(schema, parse('{ nope }'))[0])).toBeUndefined();
  });
});
