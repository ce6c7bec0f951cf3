import { z } from 'zod';
import { checkedParams, type Template } from '../templates/define-templates.ts';
import { defineJob, type JobMessage } from './define-job.ts';

/**
 * One message to one person: the subgraph that sends handles it. `template` decides the words, in the version of the build that sent it. Its name,
 * queue and fields are those of before there were templates of subgraphs, so old and new builds understand each other.
 */
export const sendMessageJob = defineJob('email', {
  payload: z.object({
    /** An e-mail address, or the id of a user. */
    to: z.string(),
    template: z.string(),
    version: z.string().optional(),
    params: z.record(z.string(), z.unknown()),
    token: z.string().optional(),
  }),
  encrypted: ['token'],
});

export interface MessageInput<T> {
  /** An e-mail address, or the id of a user. */
  to: string;
  params: T;
  /** Required where the template has it among its secrets, and refused elsewhere. */
  token?: string;
}

/** The job that sends a message. Throws a MessageParamsError for params that do not fit. */
export function messageJob<T>(template: Template<T>, { to, params, token }: MessageInput<T>): JobMessage<any> {
  const checked = checkedParams(template, params, token);
  const { name, version } = template;
  return sendMessageJob({ to, template: name, version, params: checked, ...(token !== undefined && { token }) });
}
