import { Badge, Code, Table } from "@mantine/core";

import { useModelPolicy } from "../../api/queries";
import type { ModelPolicy, PolicyRule } from "../../api/types";
import { formatMilliseconds } from "../../format";
import { Section } from "../../ui/Section";
import { Empty } from "../../ui/States";

export function Policy({ workspace }: { workspace: string }) {
  const policy = useModelPolicy(workspace);
  const aside = policy.data && <Badge variant="light" tt="none">{`${workspace}@${policy.data.version}`}</Badge>;
  return (
    <Section title="Model policy" aside={aside} query={policy}>
      {(found) =>
        found ? (
          <Rules policy={found} />
        ) : (
          <Empty>
            No policy is set for workspace <Code>{workspace}</Code>: the model <Code>auto</Code> is the server's default.
            Set one with <Code>POST /api/ai-advanced/model-policy/set</Code>.
          </Empty>
        )
      }
    </Section>
  );
}

function Rules({ policy }: { policy: ModelPolicy }) {
  const fallback = policy.auto_fallback_enabled ? `fallback by ${policy.fallback_strategy}` : "no automatic fallback";
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table captionSide="bottom">
        <Table.Caption ta="left">{fallback}</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Segment</Table.Th>
            <Table.Th scope="col">Model</Table.Th>
            <Table.Th scope="col">Falls back to</Table.Th>
            <Table.Th scope="col">Latency budget</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {policy.rules.map((rule) => (
            <Rule key={rule.segment} rule={rule} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Rule({ rule }: { rule: PolicyRule }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500}>
        {rule.segment}
      </Table.Th>
      <Table.Td>
        <Code className="unbroken">{`${rule.provider}/${rule.model}`}</Code>
      </Table.Td>
      <Table.Td>{(rule.fallback ?? []).join(", ") || "nothing"}</Table.Td>
      <Table.Td className="numbers">{formatMilliseconds(rule.latency_budget_ms)}</Table.Td>
    </Table.Tr>
  );
}
