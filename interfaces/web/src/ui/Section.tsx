import { Group, Paper, Text, Title } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";

import { Failure, Loading } from "./States";

interface SectionProps<Data> {
  title: string;
  aside?: ReactNode;
  query: UseQueryResult<Data>;
  children: (data: Data) => ReactNode;
}

/** One titled part of a page that shows what a query brought: loading, failed, or its data, kept while it reloads. */
export function Section<Data>({ title, aside, query, children }: SectionProps<Data>) {
  const heading = useId();
  return (
    <Paper component="section" withBorder p="lg" h="100%" aria-labelledby={heading}>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4" id={heading}>
          {title}
        </Title>
        <Text size="sm" c="dimmed" component="div">
          {aside}
        </Text>
      </Group>
      {contentOf(title, query, children)}
    </Paper>
  );
}

function contentOf<Data>(title: string, query: UseQueryResult<Data>, children: (data: Data) => ReactNode): ReactNode {
  if (query.isError && (query.data === undefined || !query.isFetching)) {
    return <Failure error={query.error} retry={query.refetch} />;
  }
  return query.data === undefined ? <Loading what={title.toLowerCase()} /> : children(query.data);
}
