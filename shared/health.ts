export type Check = 'up' | 'down';

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

/** The body of /health and /ready. `names` are reported as down when `check` fails or hangs. Never throws. */
export async function healthReport(service: string, names: readonly string[], check: () => Promise<Record<string, Check>>): Promise<HealthReport> {
  const allDown = Object.fromEntries(names.map((name): [string, Check] => [name, 'down']));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<Record<string, Check>>(resolve => {
    timer = setTimeout(resolve, PATIENCE_MS, allDown);
  });
  const checks = await Promise.race([check().catch(() => allDown), patience]);
  clearTimeout(timer);
  return {
    status: Object.values(checks).includes('down') ? 'degraded' : 'ok',
    service,
    uptime: Math.round(process.uptime()),
    timestamp: new Date().toISOString(),
    checks,
  };
}
