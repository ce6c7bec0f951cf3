import { equal, match, rejects } from 'node:assert/strict';
import { defineConformance, type SandboxControl } from '#shared/providers/conformance.ts';
import { google, type Google } from './google.ts';

const STATE = 's'.repeat(43);
const CHIPO = { sub: 'google-1', email: 'chipo@sandbox.example', email_verified: true, name: 'Chipo' };

const required = (opened: Google | null): Google => {
  if (!opened) throw new Error('Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET.');
  return opened;
};

/** Sends somebody to Google and brings back who came. */
async function visit(opened: Google | null) {
  const { flow, url } = await required(opened).newFlow(STATE);
  const response = await fetch(url, { redirect: 'manual' });
  const landing = new URL(response.headers.get('location')!);
  return { flow, answer: { code: landing.searchParams.get('code')!, state: landing.searchParams.get('state')! } };
}

const refusesWith = (claims: object) => async (opened: Google | null, sandbox: SandboxControl) => {
  sandbox.control('google', { claims: { ...CHIPO, ...claims } });
  const { flow, answer } = await visit(opened);
  await rejects(required(opened).identify(flow, answer), { code: 'GOOGLE_SIGN_IN_FAILED' });
};

export const conformance = defineConformance(google, {
  cases: [
    {
      title: 'discovers the endpoints, and sends people there with PKCE, state and nonce',
      async run(opened) {
        const { url, flow } = await required(opened).newFlow(STATE);
        const asked = new URL(url).searchParams;
        equal(asked.get('state'), STATE);
        equal(asked.get('nonce'), flow.nonce);
        equal(asked.get('code_challenge_method'), 'S256');
        match(asked.get('code_challenge')!, /^[\w-]{43}$/);
      },
    },
    {
      title: 'refuses a code that was never given',
      async run(opened) {
        const { flow } = await required(opened).newFlow(STATE);
        await rejects(required(opened).identify(flow, { code: 'no-such-code', state: STATE }), { code: 'GOOGLE_SIGN_IN_FAILED' });
      },
    },
  ],
  sandboxCases: [
    {
      title: 'identifies who comes back, once for each code',
      async run(opened, sandbox) {
        sandbox.control('google', { claims: CHIPO });
        const { flow, answer } = await visit(opened);
        const { subject, email, emailVerified } = await required(opened).identify(flow, answer);
        equal(subject, CHIPO.sub);
        equal(email, CHIPO.email);
        equal(emailVerified, true);
        await rejects(required(opened).identify(flow, answer), { code: 'GOOGLE_SIGN_IN_FAILED' });
      },
    },
    { title: 'refuses a token for another client', run: refusesWith({ aud: 'somebody-else' }) },
    { title: 'refuses a token that has expired', run: refusesWith({ exp: 1_000_000_000 }) },
    {
      title: 'refuses a token that somebody else has signed',
      async run(opened, sandbox) {
        sandbox.control('google', { claims: CHIPO });
        const { flow, answer } = await visit(opened);
        sandbox.fault({ thirdParty: 'google', kind: 'forged', request: 'POST /token' });
        await rejects(required(opened).identify(flow, answer), { code: 'GOOGLE_SIGN_IN_FAILED' });
      },
    },
    {
      title: 'says that Google is away when it fails, and does not take that for a refusal',
      async run(opened, sandbox) {
        sandbox.control('google', { claims: CHIPO });
        const { flow, answer } = await visit(opened);
        sandbox.fault({ thirdParty: 'google', kind: '500', request: 'POST /token' });
        await rejects(required(opened).identify(flow, answer), { code: 'UNAVAILABLE' });
        await required(opened).identify(flow, answer);
      },
    },
  ],
});
