import { Grid, Stack, Text, Title } from "@mantine/core";

import { Components } from "./Components";
import { LatestEvents } from "./LatestEvents";
import { Notices } from "./Notices";
import { Policy } from "./Policy";
import { Usage } from "./Usage";

/** What runs, what was used, which policy decides, what happened last. */
export function OverviewPage() {
  return (
    <Stack gap="lg" maw={1280}>
      <div>
        <Title order={1} size="h2">
          Overview
        </Title>
        <Text c="dimmed">What runs, what was used, which policy decides, what happened last.</Text>
      </div>
      <Notices />
      <Components />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, lg: 5 }}>
          <Usage />
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 7 }}>
          <Policy workspace="default" />
        </Grid.Col>
      </Grid>
      <LatestEvents />
    </Stack>
  );
}
