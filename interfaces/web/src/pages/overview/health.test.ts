import { expect, test } from "vitest";

import { nameOf, summaryOf } from "./health";

test("all components running is good news", () => {
  expect(summaryOf({ database: { status: "ok" }, queue: { status: "ok" } })).toEqual({
    condition: "good",
    text: "All 2 components run",
  });
});

test("failing components are named first", () => {
  const components = { database: { status: "failing" }, local_model: { status: "loading" }, queue: { status: "ok" } };
  expect(summaryOf(components)).toEqual({ condition: "bad", text: "1 of 3 components failing: Database" });
});

test("a component that is not active is told, not alarmed about", () => {
  const components = { local_model: { status: "loading" }, queue: { status: "ok" } };
  expect(summaryOf(components)).toEqual({ condition: "waiting", text: "Running; not active: Local model" });
});

test("an unknown status word counts as bad", () => {
  expect(summaryOf({ queue: { status: "exploded" } }).condition).toBe("bad");
});

test("names read as words", () => {
  expect(nameOf("event_store")).toBe("Event store");
});
