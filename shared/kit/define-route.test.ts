import { describe, expect, test } from '@jest/globals';
import { routeConflicts, routeEntries, type Route } from './define-route.ts';
import { faultOfPath, paramsOf, queryOf } from './route-paths.ts';
import { signAddress, readSignedAddress } from './signed-address.ts';

const route = (rest: Partial<Route>): Route => ({
  kind: 'download',
  method: 'GET',
  path: '/files/notes/:id',
  description: 'A note.',
  caller: 'VIEWER',
  maxBytes: 0,
  buffersBody: false,
  isAdmitted: true,
  handle: async () => ({ status: 200, headers: {} }),
  handlers: [],
  ...rest,
});

describe('a path', () => {
  test.each([
    ['/files/notes/:id', '/files/notes/n%201', { id: 'n 1' }],
    ['/files/notes/:id', '/files/notes/1?x=/a/b', { id: '1' }],
    ['/files/:owner/notes/:id', '/files/a/notes/b', { owner: 'a', id: 'b' }],
    ['/uploads/public/*', '/uploads/public/a/b%2Fc.png', { '*': 'a/b/c.png' }],
    ['/files/notes/:id', '/files/notes/__proto__', { id: '__proto__' }],
  ])('%s takes %s apart', (path, url, params) => expect(paramsOf(path, url)).toEqual(params));

  test.each([
    ['/files/notes/:id', '/files/notes/'],
    ['/files/notes/:id', '/files/notes'],
    ['/files/notes/:id', '/files/notes/1/2'],
    ['/files/notes/:id', '/files/other/1'],
    ['/files/notes/:id', '/files/notes/%'],
  ])('%s is not that of %s', (path, url) => expect(() => paramsOf(path, url)).toThrow('There is nothing here.'));

  test.each(['files/x', '/files/a b', '/files/*/x', '/files//x', '/files/:', '/files/(.*)'])('%s cannot be declared', (path) =>
    expect(faultOfPath(path)).toEqual(expect.any(String)),
  );

  test('has a query whose last value counts', () => expect(queryOf('/x?a=1&a=2&b=%20')).toEqual({ a: '2', b: ' ' }));
});

describe('routes', () => {
  test.each([
    [{ kind: 'webhook', path: '/hooks/other/x' }, '/hooks/notes/'],
    [{ kind: 'eventStream', path: '/files/x' }, '/api/v1/'],
    [{ kind: 'download', path: '/graphql' }, '/files/'],
    [{ path: '/files/a b' }, 'which is neither'],
  ] as [Partial<Route>, string][])('%j cannot be mounted', (rest, reason) => {
    expect(() => routeEntries('notes', [route(rest)])).toThrow(reason);
  });

  test('with one path are named, whatever their parameters are called', () => {
    const entries = [
      ...routeEntries('notes', [route({})]),
      ...routeEntries('other', [route({ path: '/files/notes/:noteId' }), route({ path: '/files/notes/all' })]),
    ];

    expect(routeConflicts(entries)).toEqual([
      'GET /files/notes/:id of notes and GET /files/notes/:noteId of other are one path: change one of them.',
    ]);
  });
});

describe('a signed address', () => {
  const viewer = { id: 'usr_1', roles: ['admin'], scopes: ['s'], sessionId: 'ses_1' };
  const now = new Date('2026-12-01T00:00:00Z');

  test('names its viewer, without the session', () => {
    const url = signAddress('/files/notes/1', viewer, { now, expiresInSeconds: 60 });
    expect(readSignedAddress(url, now)).toEqual({ id: 'usr_1', roles: ['admin'], scopes: ['s'] });
    expect(readSignedAddress(signAddress('/files/notes/1', null, { now, expiresInSeconds: 60 }), now)).toBeNull();
  });

  test.each([0, -1, 8 * 24 * 3_600, Number.NaN])('is not made for %d seconds', (expiresInSeconds) =>
    expect(() => signAddress('/files/x', null, { now, expiresInSeconds })).toThrow('at most 7 days'),
  );
});
