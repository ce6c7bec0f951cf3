import type { Host } from '#shared/runtime/host.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { listKeptMails, tokenIn } from '../../subgraphs/accounts/actions/mail.ts';
import type { Ctx as AccountsCtx } from '../../subgraphs/accounts/loaders.ts';
import { users } from '../data/users.ts';
import type { Vendor } from '../data/types.ts';
import { vendors } from '../data/vendors.ts';
import { inParallel, type Door } from './door.ts';

const WIDTH = 4;
const DAYS = { mon: 'MONDAY', tue: 'TUESDAY', wed: 'WEDNESDAY', thu: 'THURSDAY', fri: 'FRIDAY', sat: 'SATURDAY', sun: 'SUNDAY' } as const;

export interface Store {
  id: string;
  owner: Viewer;
  /** Warehouse ids by the demo's slugs. */
  warehouses: Map<string, string>;
}

/** Every vendor applies, is approved, writes its profile, opens its warehouses and invites its staff; answers the stores by slug. */
export async function loadStores(host: Host, door: Door, people: Map<string, Viewer>): Promise<Map<string, Store>> {
  const stores = await inParallel(vendors, WIDTH, async (vendor) => {
    const store = await openStore(door, people, vendor);
    await inviteStaff(host, door, people, vendor, store);
    return [vendor.slug, store] as const;
  });
  return new Map(stores);
}

async function openStore(door: Door, people: Map<string, Viewer>, vendor: Vendor): Promise<Store> {
  const admin = people.get('admin')!;
  const owner = people.get(vendor.members.find(({ role }) => role === 'OWNER')!.user)!;
  const { application } = await door.run('vendors', owner, 'applyAsVendor', applicationOf(vendor), 'application { id }');
  await door.run('vendors', owner, 'submitVendorApplication', { id: application.id }, 'application { id }');
  await door.run('vendors', admin, 'startVendorApplicationReview', { id: application.id }, 'application { id }');
  const approval = { id: application.id, currency: vendor.currency, slug: vendor.slug };
  const { vendor: store } = await door.run('vendors', admin, 'approveVendorApplication', approval, 'vendor { id version }');
  await door.run('vendors', owner, 'updateVendor', { id: store.id, expectedVersion: store.version, ...profileOf(vendor) }, 'vendor { id }');
  const warehouses = new Map<string, string>();
  for (const [priority, { slug, name, location }] of vendor.warehouses.entries()) {
    const input = { vendorId: store.id, name, priority, address: { ...addressOf(vendor), location: placeOf(location) } };
    const { warehouse } = await door.run('inventory', owner, 'createWarehouse', input, 'warehouse { id }');
    warehouses.set(slug, warehouse.id);
  }
  return { id: store.id, owner, warehouses };
}

const placeOf = ({ lng, lat }: Vendor['location']) => ({ longitude: lng, latitude: lat });

const addressOf = ({ address: { line1, area, city, country, postalCode }, location }: Vendor) => ({
  line1,
  line2: area,
  city,
  country,
  postalCode,
  location: placeOf(location),
});

const applicationOf = (vendor: Vendor) => ({
  storeName: vendor.name,
  slug: vendor.slug,
  description: vendor.about,
  businessName: vendor.name,
  taxNumber: vendor.tpin,
  contactEmail: vendor.email,
  contactPhone: vendor.phone,
  address: addressOf(vendor),
  currency: vendor.currency,
  timeZone: vendor.timeZone,
});

const profileOf = ({ hours, closures }: Vendor) => ({
  openingHours: Object.entries(hours).flatMap(([day, spans]) =>
    spans.map(([opens, closes]) => ({ day: DAYS[day as keyof typeof DAYS], opens, closes })),
  ),
  closures: closures.map(({ from, to, reason }) => ({ from, to, note: reason })),
});

/** Staff come in as they would: by the letter that was mailed to them. */
async function inviteStaff(
  { runtimes }: Host,
  door: Door,
  people: Map<string, Viewer>,
  vendor: Vendor,
  { id, owner }: Store,
): Promise<void> {
  const accounts = runtimes.get('accounts')!.context({ issuer: 'demo', viewer: null }) as AccountsCtx;
  for (const { user } of vendor.members.filter(({ role }) => role === 'STAFF')) {
    const { email } = users.find(({ key }) => key === user)!;
    await door.run('vendors', owner, 'inviteVendorMember', { vendorId: id, email, role: 'FULFILMENT' }, 'invitation { id }');
    const token = await mailedToken(accounts, email);
    await door.run('vendors', people.get(user)!, 'acceptVendorInvitation', { token }, 'member { id }');
  }
}

const MAIL_MS = 10_000;
const POLL_MS = 20;

async function mailedToken(ctx: AccountsCtx, to: string): Promise<string> {
  const until = Date.now() + MAIL_MS;
  for (;;) {
    const [mail] = (await listKeptMails(ctx, { to })).slice(-1);
    const token = mail && tokenIn(mail);
    if (token) return token;
    if (Date.now() > until) throw new Error(`No invitation was mailed to ${to}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
