import { Group, Text } from "@mantine/core";

export function Brand() {
  return (
    <Group gap="xs" wrap="nowrap">
      <img src="/admin/favicon.svg" alt="" width={28} height={28} />
      <Text fw={600} component="span">
        AIOS
      </Text>
      <Text c="dimmed" component="span" visibleFrom="sm">
        console
      </Text>
    </Group>
  );
}
