import { join } from 'node:path';
import { invalid } from '#shared/base/errors.ts';
import type { JobRun } from '#shared/kit/define-job.ts';
import { readLayout, renderMail } from '#shared/templates/render.ts';
import type { Ctx } from '../loaders.ts';
import type { KeptMail } from '../model.ts';

interface Work {
  to: string;
  template: string;
  version?: string | undefined;
  params: Record<string, unknown>;
  token?: string | undefined;
}

export const layout = readLayout(join(import.meta.dirname, '..'));

/** Sends by SMTP where that is configured; a server that is away is tried again. Otherwise the mail is kept. */
export async function sendMail(ctx: Ctx, { to, template, version, params, token }: Work, { id }: Pick<JobRun, 'id'>): Promise<void> {
  const reader = await ctx.models.User.findOne(to.includes('@') ? { email: to } : { _id: to }, { email: 1, locale: 1 }).lean();
  const address = reader?.email ?? to;
  // The account is gone, and its mailbox with it.
  if (!address.includes('@')) return;
  const sources = await ctx.templateSources(template, version);
  if (!sources) throw invalid(['template'], `There is no mail template called ${template.slice(0, 100)}.`);
  const { publicUrl } = ctx.providers.settings;
  const mail = { to: address, ...renderMail(sources, layout, { params, token, publicUrl, locale: reader?.locale }) };
  if (ctx.providers.mailer) await ctx.providers.mailer.send({ ...mail, id });
  else await ctx.models.KeptMail.create([{ _id: id, ...mail, sentAt: ctx.now() }]);
}

/** What would have been sent, oldest first: all of it, or what went to one address. */
export const listKeptMails = (ctx: Ctx, { to }: { to?: string } = {}): Promise<KeptMail[]> =>
  ctx.models.KeptMail.find(to ? { to } : {})
    .sort({ sentAt: 1, _id: 1 })
    .lean();

/** The token in a mail's link; undefined when it has none. */
export const tokenIn = ({ text }: Pick<KeptMail, 'text'>): string | undefined => /[?&]token=([\w-]+)/.exec(text)?.[1];
