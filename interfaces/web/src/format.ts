// Numbers and times as people read them, in the browser's own language.

const count = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
export const NOTHING = "–";

export function formatCount(value: number): string {
  return count.format(value);
}

/** A share of 1 as a percentage; unknown while there is nothing to count. */
export function formatShare(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : share.format(value);
}

/** US dollars: cents from one cent on, below that as many digits as it takes to see something. */
export function formatUsd(value: string | number): string {
  const amount = Number(value);
  const digits = amount !== 0 && Math.abs(amount) < 0.01 ? 6 : 2;
  const style = { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(undefined, style).format(amount);
}

export function formatMilliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return NOTHING;
  }
  if (value > 0 && value < 1) {
    return "< 1 ms";
  }
  return value < 10_000 ? `${count.format(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** "3 minutes ago", counted from `now`; both in milliseconds. */
export function formatAgo(isoTime: string, now: number): string {
  const seconds = Math.round((Date.parse(isoTime) - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

export function formatTime(isoTime: string): string {
  return new Date(isoTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
