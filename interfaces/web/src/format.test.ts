import { expect, test } from "vitest";

import { formatAgo, formatMilliseconds, formatShare, formatUsd, NOTHING } from "./format";

test.each([
  ["0.000123", "$0.000123"],
  ["0", "$0.00"],
  [12.5, "$12.50"],
])("a cost of %s reads %s", (cost, text) => {
  expect(formatUsd(cost)).toBe(text);
});

test("what nobody measured yet is not shown as zero", () => {
  expect(formatShare(null)).toBe(NOTHING);
  expect(formatMilliseconds(null)).toBe(NOTHING);
  expect(formatMilliseconds(0)).toBe("0 ms");
  expect(formatMilliseconds(0.4)).toBe("< 1 ms");
});

test("long times are in seconds", () => {
  expect(formatMilliseconds(12_345)).toBe("12.3 s");
});

test.each([
  [0, "now"],
  [59, "59 seconds ago"],
  [61, "1 minute ago"],
  [7_200, "2 hours ago"],
  [200_000, "2 days ago"],
])("%i seconds before now read %s", (seconds, text) => {
  const now = Date.parse("2030-01-31T12:00:00Z");
  expect(formatAgo(new Date(now - seconds * 1000).toISOString(), now)).toBe(text);
});
