import type { Host } from '#shared/runtime/host.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { seedAccount } from '../../subgraphs/accounts/actions/register.ts';
import type { Ctx } from '../../subgraphs/accounts/loaders.ts';
import { users } from '../data/users.ts';
import type { User } from '../data/types.ts';
import { inParallel } from './door.ts';

const WIDTH = 4;

/** The demo's accounts, confirmed from the start; answers them as viewers by their handle. */
export async function loadPeople({ runtimes }: Host): Promise<Map<string, Viewer>> {
  const ctx = runtimes.get('accounts')!.context({ issuer: 'demo', viewer: null }) as Ctx;
  const entries = await inParallel(users, WIDTH, async (person): Promise<[string, Viewer]> => {
    const { user } = await seedAccount(ctx, accountOf(person));
    return [person.key, { id: user._id, roles: [...user.roles], scopes: [...user.scopes] }];
  });
  return new Map(entries);
}

const accountOf = ({ email, password, name, phone, role, addresses }: User) => ({
  email,
  password,
  name,
  phone,
  // A vendor buys as well, and becomes a vendor by its store.
  roles: role === 'admin' || role === 'agent' ? (['customer', role] as const).slice() : (['customer'] as 'customer'[]),
  addresses: addresses
    .toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault))
    .map(({ label, line1, area, landmark, city, country, postalCode, location }) => ({
      label,
      recipient: name,
      phone,
      line1: `${line1}, ${area}`,
      line2: landmark,
      city,
      country,
      postalCode,
      location: { longitude: location.lng, latitude: location.lat },
    })),
});
