import { SimpleGrid, Text } from "@mantine/core";

import { useUsageSummary } from "../../api/queries";
import type { UsageSummary } from "../../api/types";
import { formatCount, formatMilliseconds, formatShare, formatUsd } from "../../format";
import { Section } from "../../ui/Section";
import { Empty } from "../../ui/States";

export function Usage() {
  const usage = useUsageSummary();
  const aside = usage.data && `as of position ${formatCount(usage.data.as_of_position)}`;
  return (
    <Section title="Usage this period" aside={aside} query={usage}>
      {(summary) =>
        summary.requests === 0 ? (
          <Empty>No requests yet. Point an OpenAI or Anthropic SDK at this server to see them here.</Empty>
        ) : (
          <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 2, xl: 3 }} m={0} className="numbers">
            {figuresOf(summary).map((figure) => (
              <Figure key={figure.label} {...figure} />
            ))}
          </SimpleGrid>
        )
      }
    </Section>
  );
}

interface FigureProps {
  label: string;
  value: string;
  note?: string;
}

function figuresOf(summary: UsageSummary): FigureProps[] {
  const { avg, p50, p95 } = summary.latency_ms;
  return [
    { label: "Requests", value: formatCount(summary.requests) },
    {
      label: "Tokens",
      value: formatCount(summary.total_tokens),
      note: `${formatCount(summary.input_tokens)} in, ${formatCount(summary.output_tokens)} out`,
    },
    { label: "Cost", value: formatUsd(summary.cost_usd) },
    { label: "Succeeded", value: formatShare(summary.success_rate) },
    { label: "Median latency", value: formatMilliseconds(p50), note: `${formatMilliseconds(avg)} on average` },
    { label: "95th percentile", value: formatMilliseconds(p95) },
  ];
}

function Figure({ label, value, note }: FigureProps) {
  return (
    <div>
      <Text component="dt" size="sm" c="dimmed">
        {label}
      </Text>
      <Text component="dd" m={0} fz="xl" fw={600}>
        {value}
        {note && (
          <Text size="xs" c="dimmed" component="div">
            {note}
          </Text>
        )}
      </Text>
    </div>
  );
}
