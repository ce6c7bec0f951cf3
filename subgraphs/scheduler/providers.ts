import { z } from 'zod';

const emails = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean),
  )
  .pipe(z.array(z.email('must be addresses separated by commas')));

/** Who is written to when a run of a job was given up. */
export const environment = z.object({ ALERT_EMAILS: emails });

export interface Providers {
  alertEmails: readonly string[];
}

export const providers = ({ ALERT_EMAILS }: z.output<typeof environment>): Providers => ({ alertEmails: ALERT_EMAILS });
