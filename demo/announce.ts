interface Announcement {
  http: string;
  accounts: Record<string, { email: string; password: string }>;
  seconds: number;
}

const SHOWN = ['admin', 'vendor1', 'vendor2', 'buyer1', 'buyer2', 'agent1', 'agent2'];

const FIRST_QUERY =
  '{ products(first: 3) { nodes { name vendor { name } categories { name } variants { sku price { amount currency } stock { isAvailable } } } } }';

/** What somebody needs who starts Soko for the first time. */
export function announce({ http, accounts, seconds }: Announcement): void {
  const width = Math.max(...SHOWN.map((name) => accounts[name]!.email.length));
  console.log(`
Soko is open, ${seconds.toFixed(1)} s after the start.

  GraphQL   ${http}
  GraphiQL  ${http} (in a browser)

${SHOWN.map((name) => `  ${name.padEnd(8)}  ${accounts[name]!.email.padEnd(width)}  ${accounts[name]!.password}`).join('\n')}

  Paste this:  ${FIRST_QUERY}
  Or watch a day of it:  npm run tour
`);
}
