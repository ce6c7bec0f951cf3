import { z } from 'zod';

const Operation = z.object({ query: z.string(), field: z.string() });

/**
 * What the playground knows of the graph that it shows: operations to begin with, how to sign in, and what the links of mails are for.
 * PLAYGROUND_GUIDE names a file of it.
 */
export const Guide = z.object({
  examples: z.array(z.object({ title: z.string(), query: z.string() })).default([]),
  signIn: z
    .object({
      /** Takes $name and $password; `field` is a payload with accessToken, accessTokenExpiresAt, refreshToken and userErrors. */
      open: Operation,
      /** Takes $refreshToken; answers the same. */
      renew: Operation,
      /** Offered in the form. */
      people: z.array(z.object({ name: z.string(), password: z.string(), title: z.string() })).default([]),
    })
    .optional(),
  /** A page at `path` for links `path?token=...`, with a button that runs the operation with $token and with what the person fills in. */
  links: z
    .array(
      Operation.extend({
        path: z.string().startsWith('/'),
        title: z.string(),
        needsSignIn: z.boolean().default(false),
        /** Variables that the person fills in, and what they are called on the page. */
        inputs: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default([]),
});

export type Guide = z.output<typeof Guide>;
export type Link = Guide['links'][number];
