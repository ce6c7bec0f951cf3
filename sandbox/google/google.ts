import { createHash, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { exportJWK, SignJWT, type JWK } from 'jose';
import type { SandboxRequest, SandboxResponse, ThirdParty, ThirdPartyTools } from '../third-party.ts';

interface Code {
  clientId: string;
  redirectUri: string;
  nonce: string | null;
  challenge: string | null;
}

interface Key {
  privateKey: KeyObject;
  jwk: JWK;
}

const SOMEBODY = { sub: 'google-sandbox-1', email: 'chipo@sandbox.example', email_verified: true, name: 'Chipo Moonga' };
const HOUR_SECONDS = 3_600;

/**
 * OpenID Connect as Google speaks it: discovery, keys, the authorization endpoint with PKCE, and the token endpoint. Everybody who is sent there is
 * signed in at once as the person of `control({ claims })`; a claim that is null is left out. The fault `forged` signs with another key.
 */
export function openGoogle({ url: issuer, record }: ThirdPartyTools): ThirdParty {
  const codes = new Map<string, Code>();
  const keys = { own: undefined as Promise<Key> | undefined, foreign: undefined as Promise<Key> | undefined };
  let claims: Record<string, unknown> = SOMEBODY;
  const own = (): Promise<Key> => (keys.own ??= newKey());

  function authorize(query: URLSearchParams): SandboxResponse {
    const redirectUri = query.get('redirect_uri') ?? '';
    const code = randomUUID();
    codes.set(code, {
      clientId: query.get('client_id') ?? '',
      redirectUri,
      nonce: query.get('nonce'),
      challenge: query.get('code_challenge'),
    });
    const landing = new URL(redirectUri);
    landing.searchParams.set('code', code);
    landing.searchParams.set('state', query.get('state') ?? '');
    record({ kind: 'authorize', summary: `sent back to ${landing.origin}${landing.pathname}`, data: Object.fromEntries(query) });
    return { status: 302, headers: { location: landing.href }, text: '' };
  }

  async function token({ body, headers, isForged }: SandboxRequest): Promise<SandboxResponse> {
    const given = new URLSearchParams(body);
    const code = codes.get(given.get('code') ?? '');
    // A code is good once.
    codes.delete(given.get('code') ?? '');
    const isRight =
      code !== undefined &&
      code.clientId === clientOf(given, headers) &&
      code.redirectUri === given.get('redirect_uri') &&
      code.challenge ===
        createHash('sha256')
          .update(given.get('code_verifier') ?? '')
          .digest('base64url');
    record({ kind: 'token', summary: isRight ? `gave a token for ${String(claims['email'])}` : 'refused a code' });
    if (!isRight) return { status: 400, json: { error: 'invalid_grant' } };
    const { privateKey } = isForged ? await (keys.foreign ??= newKey()) : await own();
    const { jwk } = await own();
    const idToken = await signed({ ...payloadOf(code), ...claims }, privateKey, jwk.kid!);
    return { json: { access_token: randomUUID(), token_type: 'Bearer', expires_in: HOUR_SECONDS, id_token: idToken } };
  }

  function payloadOf({ clientId, nonce }: Code): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1_000);
    return { iss: issuer, aud: clientId, iat: now, exp: now + HOUR_SECONDS, ...(nonce !== null && { nonce }) };
  }

  return {
    async handle(request) {
      switch (`${request.method} ${request.path}`) {
        case 'GET /.well-known/openid-configuration':
          return { json: discovery(issuer) };
        case 'GET /jwks':
          return { json: { keys: [(await own()).jwk] } };
        case 'GET /authorize':
          return authorize(request.query);
        case 'POST /token':
          return token(request);
        default:
          return { status: 404, json: { error: 'not_found' } };
      }
    },
    control({ claims: given }: { claims: Record<string, unknown> }) {
      claims = given;
    },
  };
}

const discovery = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  code_challenge_methods_supported: ['S256'],
});

/** The client names itself in the body, or by Basic authentication. */
function clientOf(body: URLSearchParams, { authorization }: SandboxRequest['headers']): string | null {
  const basic = /^Basic (.+)$/.exec(String(authorization ?? ''))?.[1];
  return basic ? decodeURIComponent(Buffer.from(basic, 'base64').toString().split(':', 1)[0]!) : body.get('client_id');
}

async function newKey(): Promise<Key> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' } };
}

function signed(payload: Record<string, unknown>, key: KeyObject, kid: string): Promise<string> {
  const told = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== null && value !== undefined));
  return new SignJWT(told).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
}
