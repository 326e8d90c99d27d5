import { Alert, Button, Group, Loader, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

import { ApiError } from "../api/client";
import { IconAlert, IconEmpty } from "./icons";

export function Loading({ what }: { what: string }) {
  return (
    <Group role="status" gap="sm" py="md">
      <Loader size="sm" aria-hidden />
      <Text c="dimmed">Loading {what} …</Text>
    </Group>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return (
    <Group gap="sm" py="md" c="dimmed" wrap="nowrap">
      <IconEmpty size={20} aria-hidden />
      <div>{children}</div>
    </Group>
  );
}

/** What went wrong, the request to look up in the log, and a way to try again. */
export function Failure({ error, retry }: { error: Error; retry: () => unknown }) {
  const requestId = error instanceof ApiError ? error.problem.request_id : undefined;
  return (
    <Alert color="red" role="alert" icon={<IconAlert aria-hidden />} title="This could not be loaded">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{error.message}</Text>
        {requestId && (
          <Text size="xs" c="dimmed">
            Request {requestId}
          </Text>
        )}
        <Button size="xs" variant="light" color="red" onClick={() => void retry()}>
          Try again
        </Button>
      </Stack>
    </Alert>
  );
}
