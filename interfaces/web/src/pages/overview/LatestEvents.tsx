import { Code, Table, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Fragment } from "react";

import { useLatestEvents } from "../../api/queries";
import type { RecordedEvent } from "../../api/types";
import { formatAgo, formatCount, formatTime } from "../../format";
import { Section } from "../../ui/Section";
import { Empty } from "../../ui/States";

const SHOWN = 20;
const COLUMNS = ["Position", "When", "Event", "Stream", "By"];

export function LatestEvents() {
  const events = useLatestEvents(SHOWN);
  return (
    <Section title="Latest events" aside="from the immutable log, newest first" query={events}>
      {(items) => (items.length === 0 ? <Empty>Nothing has been recorded yet.</Empty> : <EventTable events={items} />)}
    </Section>
  );
}

function EventTable({ events }: { events: RecordedEvent[] }) {
  const now = Date.now();
  return (
    <Table.ScrollContainer minWidth={720}>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {COLUMNS.map((column) => (
              <Table.Th key={column} scope="col">
                {column}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.map((event) => (
            <EventRows key={event.position} event={event} now={now} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** One event, and under it what it recorded once its name is pressed. */
function EventRows({ event, now }: { event: RecordedEvent; now: number }) {
  const [opened, { toggle }] = useDisclosure(false);
  return (
    <Fragment>
      <Table.Tr>
        <Table.Td className="numbers">{formatCount(event.position)}</Table.Td>
        <Table.Td>
          <time className="unbroken" dateTime={event.recorded_at} title={formatTime(event.recorded_at)}>
            {formatAgo(event.recorded_at, now)}
          </time>
        </Table.Td>
        <Table.Td>
          <UnstyledButton onClick={toggle} aria-expanded={opened} title="Show what it recorded">
            <Code>{event.type}</Code>
          </UnstyledButton>
        </Table.Td>
        <Table.Td>{event.stream_id}</Table.Td>
        <Table.Td>
          <Text size="sm" c="dimmed" component="span">
            {event.actor}
          </Text>
        </Table.Td>
      </Table.Tr>
      {opened && (
        <Table.Tr>
          <Table.Td colSpan={COLUMNS.length}>
            <pre className="data">{JSON.stringify(event.data, null, 2)}</pre>
          </Table.Td>
        </Table.Tr>
      )}
    </Fragment>
  );
}
