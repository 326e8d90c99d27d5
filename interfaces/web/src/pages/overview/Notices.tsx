import { Alert, Stack } from "@mantine/core";

import { useQuotaNotices } from "../../api/queries";
import type { QuotaNotice } from "../../api/types";
import { formatCount, formatTime, formatUsd } from "../../format";
import { IconAlert } from "../../ui/icons";

const MICROS = 1_000_000;

/** Caps that were reached in the newest month that has any; nothing at all when none was. */
export function Notices() {
  const notices = useQuotaNotices();
  const items = notices.data ?? [];
  if (items.length === 0) {
    return null;
  }
  return (
    <Stack component="section" gap="xs" aria-label="Notices">
      {items.map((notice) => (
        <Alert
          key={notice.position}
          color={notice.cap === "hard" ? "red" : "yellow"}
          icon={<IconAlert size={18} aria-hidden />}
          title={titleOf(notice)}
        >
          {textOf(notice)}
        </Alert>
      ))}
    </Stack>
  );
}

function titleOf({ cap, scope, id }: QuotaNotice): string {
  const whose = scope === "tenant" ? "the tenant" : `${scope} ${id}`;
  return cap === "hard" ? `Hard cap of ${whose} reached` : `Soft cap of ${whose} crossed`;
}

function textOf(notice: QuotaNotice): string {
  const { used, limit, unit, month, threshold, reached_at } = notice;
  const amount = (value: number) => (unit === "tokens" ? `${formatCount(value)} tokens` : formatUsd(value / MICROS));
  const what = notice.cap === "hard" ? "Requests that do not fit are refused." : `It warns at ${percent(threshold)}.`;
  return `${amount(used)} of ${amount(limit)} were used in ${month} at ${formatTime(reached_at)}. ${what}`;
}

function percent(share: number | null): string {
  return `${Math.round((share ?? 0) * 100)} %`;
}
