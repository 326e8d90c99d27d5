import type { Component, Components } from "../../api/types";

export type Condition = "good" | "waiting" | "bad";

const GOOD = new Set(["ok", "ready"]);
const WAITING = new Set(["starting", "loading", "disabled", "unknown"]);

/** Reads a component's status word; a word that is not known counts as bad, so that nothing hides. */
export function conditionOf(component: Component): Condition {
  if (GOOD.has(component.status)) {
    return "good";
  }
  return WAITING.has(component.status) ? "waiting" : "bad";
}

/** One sentence for the whole, as a person would say it. */
export function summaryOf(components: Components): { condition: Condition; text: string } {
  const entries = Object.entries(components);
  const inCondition = (wanted: Condition) =>
    entries.filter(([, component]) => conditionOf(component) === wanted).map(([name]) => nameOf(name));
  const bad = inCondition("bad");
  const waiting = inCondition("waiting");
  if (bad.length > 0) {
    return { condition: "bad", text: `${bad.length} of ${entries.length} components failing: ${bad.join(", ")}` };
  }
  if (waiting.length > 0) {
    return { condition: "waiting", text: `Running; not active: ${waiting.join(", ")}` };
  }
  return { condition: "good", text: `All ${entries.length} components run` };
}

export function nameOf(component: string): string {
  const words = component.replaceAll(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
