import { Badge, Card, Group, SimpleGrid, Text } from "@mantine/core";

import { useReadiness } from "../../api/queries";
import type { Component } from "../../api/types";
import { formatMilliseconds } from "../../format";
import { IconAlert, IconCheck, IconWait } from "../../ui/icons";
import { Section } from "../../ui/Section";
import { Empty } from "../../ui/States";
import { type Condition, conditionOf, nameOf, summaryOf } from "./health";

const LOOKS: Record<Condition, { color: string; icon: typeof IconCheck }> = {
  good: { color: "teal", icon: IconCheck },
  waiting: { color: "yellow", icon: IconWait },
  bad: { color: "red", icon: IconAlert },
};

export function Components() {
  const readiness = useReadiness();
  const summary = readiness.data && summaryOf(readiness.data.components);
  const aside = summary && (
    <Badge color={LOOKS[summary.condition].color} variant="light" size="lg" tt="none" role="status">
      {summary.text}
    </Badge>
  );
  return (
    <Section title="Components" aside={aside} query={readiness}>
      {({ components }) =>
        Object.keys(components).length === 0 ? (
          <Empty>The server reports no components.</Empty>
        ) : (
          <SimpleGrid component="ul" cols={{ base: 1, xs: 2, md: 3, xl: 4 }} p={0} m={0} spacing="sm">
            {Object.entries(components).map(([name, component]) => (
              <ComponentCard key={name} name={name} component={component} />
            ))}
          </SimpleGrid>
        )
      }
    </Section>
  );
}

function ComponentCard({ name, component }: { name: string; component: Component }) {
  const { color, icon: Icon } = LOOKS[conditionOf(component)];
  const lines = [component.detail, component.ms !== undefined && `answers in ${formatMilliseconds(component.ms)}`];
  return (
    <Card component="li" withBorder padding="sm" style={{ listStyle: "none" }}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text fw={500}>{nameOf(name)}</Text>
        <Badge color={color} variant="light" leftSection={<Icon size={14} aria-hidden />} tt="none">
          {component.status}
        </Badge>
      </Group>
      <Text size="xs" c="dimmed" mt={4} style={{ overflowWrap: "anywhere" }}>
        {lines.filter(Boolean).join(" · ")}
      </Text>
    </Card>
  );
}
