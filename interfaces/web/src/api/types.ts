// The shapes of the public API that the console reads; the console uses nothing else.

export interface Problem {
  type?: string;
  title?: string;
  status: number;
  detail?: string;
  request_id?: string;
  components?: Components;
}

export interface Session {
  tenant: string;
  key_id: string;
  roles: string[];
  workspace_id: string | null;
}

export interface Component {
  status: string;
  ms?: number;
  detail?: string;
}

export type Components = Record<string, Component>;

export interface Readiness {
  status: string;
  components: Components;
}

export interface UsageSummary {
  requests: number;
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  cost_usd: string | number;
  success_rate: number | null;
  latency_ms: { avg: number | null; p50: number | null; p95: number | null };
  as_of_position: number;
  period_start?: string;
  period_end?: string;
}

export interface RecordedEvent {
  position: number;
  type: string;
  stream_id: string;
  recorded_at: string;
  actor: string;
  data: unknown;
}

/** A cap that was reached; amounts are tokens or millionths of a dollar. */
export interface QuotaNotice {
  cap: "soft" | "hard";
  scope: string;
  id: string;
  month: string;
  unit: "tokens" | "cost";
  used: number;
  limit: number;
  threshold: number | null;
  reached_at: string;
  position: number;
}

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

export interface PolicyRule {
  segment: string;
  provider: string;
  model: string;
  fallback?: string[];
  latency_budget_ms?: number | null;
}

export interface ModelPolicy {
  workspace_id: string;
  version: number;
  rules: PolicyRule[];
  fallback_strategy: string;
  auto_fallback_enabled: boolean;
}
