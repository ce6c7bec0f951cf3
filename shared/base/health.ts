export type Check = 'up' | 'down';

/** The second and third are where platforms look by default. */
export const HEALTH_PATHS = ['/health', '/healthz', '/api/health'];

export interface HealthReport {
  status: 'ok' | 'degraded';
  service: string;
  /** Seconds. */
  uptime: number;
  timestamp: string;
  checks: Record<string, Check>;
}

/** A dependency that has not answered by then counts as down: who asks wants an answer, not a wait. */
const PATIENCE_MS = 2_000;

/** The body of /health and /ready. A check that fails or hangs says down. Never throws. */
export async function healthReport(service: string, checks: Readonly<Record<string, () => Promise<Check>>>): Promise<HealthReport> {
  const asked = Object.entries(checks).map(async ([name, check]): Promise<[string, Check]> => [name, await patiently(check)]);
  const answers = Object.fromEntries(await Promise.all(asked));
  return {
    status: Object.values(answers).includes('down') ? 'degraded' : 'ok',
    service,
    uptime: Math.round(process.uptime()),
    timestamp: new Date().toISOString(),
    checks: answers,
  };
}

async function patiently(check: () => Promise<Check>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<Check>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'down');
  });
  try {
    return await Promise.race([check(), patience]);
  } catch {
    return 'down';
  } finally {
    clearTimeout(timer);
  }
}
