import { parseArgs } from 'node:util';
import { z } from 'zod';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { withAccounts } from './open-accounts.ts';

/* `npm run admin -- create EMAIL`: makes the first admin. Further admins are made by an admin, with `setUserRoles`, or with --force. */

const USAGE = 'npm run admin -- create EMAIL [--name NAME] [--force]';

interface Options {
  email: string;
  name: string;
  force: boolean;
}

await runStart(() => {
  const options = readOptions();
  return withAccounts(async (ctx) => {
    const { createAdmin } = await import('../subgraphs/accounts/actions/create-admin.ts');
    const { outcome, password } = await createAdmin(ctx, options);
    if (outcome === 'ADMIN_EXISTS')
      throw new StartError('There is an admin already, who can make others with setUserRoles. --force makes one all the same.');
    if (outcome === 'INACTIVE') throw new StartError(`The account ${options.email} is deactivated.`);
    if (outcome === 'UNVERIFIED') throw new StartError(`The account ${options.email} has not confirmed its address.`);
    if (outcome === 'PROMOTED') return console.log(`${options.email} is an admin from its next sign-in on; its password is unchanged.`);
    console.log(`${options.email} is an admin. Password, shown this once: ${password}\nSign in with it and change it with changePassword.`);
  });
});

function readOptions(): Options {
  const { values, positionals } = parse();
  const [command, email, ...rest] = positionals;
  if (command !== 'create' || email === undefined || rest.length > 0) throw new StartError(`Usage: ${USAGE}`);
  if (!z.email().safeParse(email).success) throw new StartError(`${email} is not an e-mail address. Usage: ${USAGE}`);
  return { email, name: values.name, force: values.force };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { name: { type: 'string', default: 'Admin' }, force: { type: 'boolean', default: false } },
    });
  } catch {
    throw new StartError(`Usage: ${USAGE}`);
  }
}
