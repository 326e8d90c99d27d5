import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { ApiError, call } from "./client";
import type { ModelPolicy, Page, QuotaNotice, Readiness, RecordedEvent, Session, UsageSummary } from "./types";

const API = "/api/ai-advanced";
const LIVE = { refetchInterval: 5_000 } as const;

/** Who is signed in, or null. */
export function useSession() {
  return useQuery({ queryKey: ["session"], queryFn: fetchSession, staleTime: 60_000 });
}

async function fetchSession(): Promise<Session | null> {
  return (await orNull([401], call<Session>("GET", `${API}/session`))) ?? null;
}

/** Trades an API key for a session cookie that scripts cannot read; the key is not kept anywhere. */
export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (apiKey: string) => call("POST", `${API}/session`, { api_key: apiKey }),
    gcTime: 0,
    onSuccess: () => client.resetQueries(),
  });
}

/** Ends the session and forgets everything that was shown. */
export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("DELETE", `${API}/session`),
    onSuccess: () => client.resetQueries(),
  });
}

/** What runs. A 503 is an answer too: it names the component that fails. */
export function useReadiness() {
  return useQuery({ queryKey: ["readiness"], queryFn: fetchReadiness, ...LIVE });
}

async function fetchReadiness(): Promise<Readiness> {
  try {
    return await call<Readiness>("GET", "/health/ready");
  } catch (error) {
    if (error instanceof ApiError && error.problem.components) {
      return { status: "unready", components: error.problem.components };
    }
    throw error;
  }
}

export function useUsageSummary() {
  const queryFn = () => call<UsageSummary>("GET", `${API}/usage/summary`);
  return useQuery({ queryKey: ["usage", "summary"], queryFn, ...LIVE });
}

/** The last events of the tenant, newest first. */
export function useLatestEvents(limit: number) {
  const queryFn = () => call<Page<RecordedEvent>>("GET", `${API}/audit/events?limit=${limit}`);
  return useQuery({ queryKey: ["audit", "events", limit], queryFn, select: newestFirst, ...LIVE });
}

export function newestFirst(page: Page<RecordedEvent>): RecordedEvent[] {
  return page.items.toSorted((a, b) => b.position - a.position);
}

/** The newest caps that were reached, of one month. */
export function useQuotaNotices() {
  const queryFn = () => call<Page<QuotaNotice>>("GET", `${API}/usage/notices?limit=20`);
  return useQuery({ queryKey: ["usage", "notices"], queryFn, select: ofNewestMonth, ...LIVE });
}

export function ofNewestMonth(page: Page<QuotaNotice>): QuotaNotice[] {
  const newest = page.items.reduce((month, notice) => (notice.month > month ? notice.month : month), "");
  return page.items.filter((notice) => notice.month === newest);
}

/** The workspace's policy, null when none was ever set. */
export function useModelPolicy(workspace: string) {
  const path = `${API}/model-policy?workspace_id=${encodeURIComponent(workspace)}`;
  const queryFn = () => orNull([404], call<ModelPolicy>("GET", path));
  return useQuery({ queryKey: ["model-policy", workspace], queryFn, refetchInterval: 30_000 });
}

async function orNull<Answer>(statuses: number[], answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && statuses.includes(error.status)) {
      return null;
    }
    throw error;
  }
}
