import type { JobRun } from '#shared/kit/define-job.ts';
import type { Ctx } from '../loaders.ts';
import type { KeptMail } from '../model.ts';
import { compose } from '../mails.ts';

interface Work {
  to: string;
  template: string;
  params: Record<string, string>;
  token?: string | undefined;
}

/** Sends by SMTP where that is configured; a server that is away is tried again. Otherwise the mail is kept. */
export async function sendMail(ctx: Ctx, { to, template, params, token }: Work, { id }: Pick<JobRun, 'id'>): Promise<void> {
  const reader = await ctx.models.User.findOne({ email: to }, { locale: 1 }).lean();
  const mail = {
    to,
    ...compose(template, { ...params, ...(token && { token }) }, { publicUrl: ctx.providers.settings.publicUrl, locale: reader?.locale }),
  };
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
