import { z } from 'zod';

const Operation = z.object({ query: z.string(), field: z.string() });

/**
 * What the playground knows of its graph: examples, how to sign in, and pages for the links of e-mails. PLAYGROUND_GUIDE names a file of
 * it.
 */
export const Guide = z.object({
  examples: z.array(z.object({ title: z.string(), query: z.string() })).default([]),
  signIn: z
    .object({
      /** Takes $name and $password. `field` returns a payload with accessToken, accessTokenExpiresAt, refreshToken and userErrors. */
      open: Operation,
      /** Takes $refreshToken; returns the same payload. */
      renew: Operation,
      /** Sign-ins that the form offers. */
      people: z.array(z.object({ name: z.string(), password: z.string(), title: z.string() })).default([]),
    })
    .optional(),
  /** A page at `path` for links `path?token=...`, with a button that runs the operation with $token and the filled-in variables. */
  links: z
    .array(
      Operation.extend({
        path: z.string().startsWith('/'),
        title: z.string(),
        needsSignIn: z.boolean().default(false),
        /** Variables to fill in, with their labels. */
        inputs: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default([]),
});

export type Guide = z.output<typeof Guide>;
export type Link = Guide['links'][number];
