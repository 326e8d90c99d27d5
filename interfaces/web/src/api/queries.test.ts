import { expect, test } from "vitest";

import { newestFirst } from "./queries";

test("events are shown newest first, whatever order they came in", () => {
  const event = (position: number) => ({ position, type: "t", stream_id: "s", recorded_at: "", actor: "", data: {} });
  const page = { items: [event(1), event(3), event(2)], next_cursor: null };
  expect(newestFirst(page).map((item) => item.position)).toEqual([3, 2, 1]);
});
