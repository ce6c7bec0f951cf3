import { invalid } from '#shared/base/errors.ts';

interface Words {
  subject: string;
  paragraphs: string[];
  /** Where a button leads, below the public address; the token is put behind it. */
  link?: { path: string; label: string };
}

interface Composed {
  subject: string;
  text: string;
  html: string;
}

const ignore = 'If this was not you, do nothing: without this link nothing happens.';
const beware = 'If this was not you, set a new password at once and sign out all devices.';

interface Reader {
  publicUrl: string;
  /** Of the account the mail goes to, where there is one. */
  locale?: string | null | undefined;
}

/**
 * `{name}` stands for a parameter; one that ends in At is a moment, shown in `timeZone`. Hardly any is shown: what somebody typed would reach a stranger's mailbox under our name (the name of a
 * store has been read by the operator).
 */
const TEMPLATES: Record<string, Words> = {
  'verify-email': {
    subject: 'Confirm your e-mail address',
    paragraphs: ['Welcome to Soko. Confirm that this address is yours; the link is good for 24 hours.', ignore],
    link: { path: '/verify-email', label: 'Confirm my address' },
  },
  'already-registered': {
    subject: 'You have an account already',
    paragraphs: [
      'Somebody wanted to make an account with this address, but it has one. Sign in as usual, or choose a new password; the link is good for one hour, once.',
      'If this was not you, do nothing: your account is as it was.',
    ],
    link: { path: '/reset-password', label: 'Choose a new password' },
  },
  'address-in-use': {
    subject: 'You have an account already',
    paragraphs: [
      'Somebody wanted to move an account to this address, but it has one of its own. Sign in as usual.',
      'If this was not you, do nothing: your account is as it was.',
    ],
  },
  'reset-password': {
    subject: 'Choose a new password',
    paragraphs: ['Somebody asked for a new password for your account. The link is good for one hour, once.', ignore],
    link: { path: '/reset-password', label: 'Choose a new password' },
  },
  'job-failed': {
    subject: 'A job was given up: {job}',
    paragraphs: [
      'A run of the job {job} of {subgraph} was given up with {code}. It waits among the dead letters; its run is {runId}.',
      'Further runs of this job within the next hour send no mail.',
    ],
  },
  'password-changed': {
    subject: 'Your password was changed',
    paragraphs: ['The password of your account was changed, and other devices were signed out.', beware],
  },
  'email-change': {
    subject: 'Confirm your new e-mail address',
    paragraphs: [
      'Confirm that this shall be the address of your account, signed in as the one who asked; the link is good for one hour.',
      ignore,
    ],
    link: { path: '/confirm-email-change', label: 'Confirm the new address' },
  },
  'email-change-asked': {
    subject: 'A new e-mail address was asked for',
    paragraphs: ['Your account shall get another e-mail address. Until that one is confirmed nothing changes.', beware],
  },
  'email-changed': {
    subject: 'Your e-mail address was changed',
    paragraphs: ['Your account has another e-mail address now, and this one is free. If this was not you, write to the operator at once.'],
  },
  'delete-account': {
    subject: 'Delete your account',
    paragraphs: ['Somebody asked to delete your account. It cannot be brought back; the link is good for one hour, signed in.', ignore],
    link: { path: '/delete-account', label: 'Delete my account' },
  },
  'account-deleted': {
    subject: 'Your account is deleted',
    paragraphs: ['Your account and what it knew of you are gone. Orders stay in the books without your name.'],
  },
  'mfa-enabled': {
    subject: 'The second step is on',
    paragraphs: ['From now on signing in asks for a code of your authenticator.', beware],
  },
  'mfa-disabled': { subject: 'The second step is off', paragraphs: ['Signing in asks for the password alone.', beware] },
  'vendor-invitation': {
    subject: 'You are invited to {storeName}',
    paragraphs: [
      '{storeName} on Soko would like you as a member of its store, as {role}.',
      'The invitation is good until {expiresAt}. Sign in with this address to accept it.',
    ],
    link: { path: '/vendor-invitation', label: 'See the invitation' },
  },
  'google-linked': { subject: 'Sign-in with Google is on', paragraphs: ['You can sign in with your Google account from now on.', beware] },
};

/** The mail a template makes, as text and as HTML that says the same. */
export function compose(template: string, params: Record<string, string>, { publicUrl, locale }: Reader): Composed {
  const words = Object.hasOwn(TEMPLATES, template) ? TEMPLATES[template]! : undefined;
  if (!words) throw invalid(['template'], `There is no mail template called ${template.slice(0, 100)}.`);
  const { link } = words;
  const filled = (text: string): string =>
    text.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
      name.endsWith('At') && params[name] ? timeFor(params[name], params['timeZone'], locale) : (params[name] ?? ''),
    );
  const subject = filled(words.subject);
  const paragraphs = ['Hello,', ...words.paragraphs.map(filled)];
  const query = params['token'] ? `?token=${encodeURIComponent(params['token'])}` : '';
  const address = link && `${publicUrl}${link.path}${query}`;
  const text = [...paragraphs, ...(address ? [`${link.label}: ${address}`] : []), 'Soko'].join('\n\n');
  const body = paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`);
  const button = address ? [`<p><a href="${escapeHtml(address)}">${escapeHtml(link.label)}</a></p>`] : [];
  const html = `<!doctype html><html lang="en"><body>${[...body, ...button, '<p>Soko</p>'].join('')}</body></html>`;
  return { subject, text, html };
}

/** A moment as the reader writes it, in the time zone the mail is about. The language of a locale nobody can write with is plain English. */
function timeFor(iso: string, timeZone = 'UTC', locale?: string | null): string {
  const locales = [...(locale ? [locale] : []), 'en-GB'];
  const shape = { day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  return new Intl.DateTimeFormat(locales, { ...shape, timeZone }).format(new Date(iso));
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeHtml = (value: string): string => value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
