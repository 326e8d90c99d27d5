import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";

export function NotFound() {
  return (
    <Stack>
      <Title order={1}>No such page</Title>
      <Text>
        There is nothing at this address. <Anchor component={Link} to="/admin">Go to the overview</Anchor>
      </Text>
    </Stack>
  );
}
