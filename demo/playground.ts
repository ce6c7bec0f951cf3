import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { users } from './data/users.ts';

const OPENED = 'accessToken accessTokenExpiresAt refreshToken userErrors { message }';
const ERRORS = 'userErrors { code message path }';

const PAGE = `query FirstPage {
  products(first: 3) {
    nodes {
      name
      vendor { name isOpenNow }
      categories { name }
      media { url alt }
      variants { sku price { amount currency } stock { isAvailable } }
    }
  }
}
`;

const TREE = `query Categories {
  categoryTree { name children { name children { name } } }
}
`;

const SIGN_IN = `mutation SignIn {
  login(input: { email: "buyer1@soko.example", password: "soko-demo-2026!" }) {
    accessToken
    accessTokenExpiresAt
    userErrors { code message }
  }
}
`;

const VIEWER = `query Viewer {
  me { name email roles }
  cart { totalQuantity lines { quantity variant { sku } } }
  orders(first: 5) { nodes { id status total { amount currency } } }
}
`;

const LIVE = `subscription MyOrders {
  orderEvents { cursor kind newStatus order { id status } }
}
`;

const SETTINGS = `query Settings {
  settings(first: 30) { nodes { id description default value version } }
  flags(first: 10) { nodes { id description isOn rollout { percentage } } }
}
`;

/** Operations of the playground, in the order of a first visit. */
export const EXAMPLES = [
  { title: 'Products with vendor, categories, pictures, prices and stock', query: PAGE },
  { title: 'The tree of categories', query: TREE },
  { title: 'Sign in with an operation', query: SIGN_IN },
  { title: 'The signed-in user, the cart and the orders', query: VIEWER },
  { title: 'Live: every change of the own orders', query: LIVE },
  { title: 'Admin: settings and flags', query: SETTINGS },
];

const linkOf = (path: string, title: string, field: string, more: object = {}) => ({
  path,
  title,
  field,
  query: `mutation ($token: String!) { ${field}(input: { token: $token }) { ${ERRORS} } }`,
  ...more,
});

const RESET = `mutation ($token: String!, $newPassword: String!) {
  resetPassword(input: { token: $token, newPassword: $newPassword }) { reset ${ERRORS} }
}`;

/** The paths that the mails of accounts link to. */
export const LINKS = [
  linkOf('/verify-email', 'Confirm the e-mail address', 'verifyEmail'),
  linkOf('/reset-password', 'Choose a new password', 'resetPassword', { query: RESET, inputs: { newPassword: 'New password' } }),
  linkOf('/confirm-email-change', 'Confirm the new e-mail address', 'confirmEmailChange', { needsSignIn: true }),
  linkOf('/delete-account', 'Delete the account', 'deleteAccount', { needsSignIn: true }),
  linkOf('/vendor-invitation', 'Accept the invitation', 'acceptVendorInvitation', { needsSignIn: true }),
];

export const SIGN_IN_FORM = {
  open: {
    field: 'login',
    query: `mutation ($name: String!, $password: String!) { login(input: { email: $name, password: $password }) { ${OPENED} } }`,
  },
  renew: {
    field: 'refreshSession',
    query: `mutation ($refreshToken: String!) { refreshSession(input: { refreshToken: $refreshToken }) { ${OPENED} } }`,
  },
  people: users.map(({ key, email, password }) => ({ title: key, name: email, password })),
};

/** Writes what the playground shows of the demo; answers the file, for PLAYGROUND_GUIDE. */
export function writeGuide(folder: string): string {
  const file = join(folder, 'playground.json');
  writeFileSync(file, JSON.stringify({ examples: EXAMPLES, signIn: SIGN_IN_FORM, links: LINKS }, null, 2));
  return file;
}
