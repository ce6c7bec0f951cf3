/*
 * Runs in the browser, before anything else of the page: keeps a session, renews its token, and adds the token to requests of the endpoint
 * that bring none. `guide` and `endpoint` are constants of the page.
 */
window.playground = (() => {
  const KEY = 'playground-session';
  const EARLY_MS = 60_000;
  const plainFetch = window.fetch.bind(window);
  const read = () => JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
  const write = (session) => (session ? sessionStorage.setItem(KEY, JSON.stringify(session)) : sessionStorage.removeItem(KEY));
  let renewing;

  async function post(query, variables, token) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const response = await plainFetch(endpoint, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    return response.json();
  }

  async function keep({ query, field }, variables, name) {
    const { data, errors } = await post(query, variables);
    const payload = data?.[field];
    const problem = errors?.[0] ?? payload?.userErrors?.[0];
    if (problem || !payload?.accessToken)
      throw new Error(problem?.message ?? 'This account needs a second step; sign in with an operation.');
    const { accessToken, accessTokenExpiresAt, refreshToken } = payload;
    write({ name, accessToken, accessTokenExpiresAt, refreshToken });
    return accessToken;
  }

  async function token() {
    const session = read();
    if (!session) return undefined;
    if (Date.parse(session.accessTokenExpiresAt) - Date.now() > EARLY_MS) return session.accessToken;
    renewing ??= keep(guide.signIn.renew, { refreshToken: session.refreshToken }, session.name)
      .catch(() => write(null))
      .finally(() => (renewing = undefined));
    return renewing;
  }

  window.fetch = async (input, init = {}) => {
    const headers = new Headers(init.headers);
    const isOurs = new URL(typeof input === 'string' ? input : (input.url ?? input), location.href).pathname === endpoint;
    const bearer = isOurs && !headers.has('authorization') ? await token() : undefined;
    if (bearer) headers.set('authorization', `Bearer ${bearer}`);
    return plainFetch(input, bearer ? { ...init, headers } : init);
  };

  return {
    name: () => read()?.name,
    signIn: (name, password) => keep(guide.signIn.open, { name, password }, name),
    signOut: () => write(null),
    run: async (query, variables) => post(query, variables, await token()),
  };
})();
