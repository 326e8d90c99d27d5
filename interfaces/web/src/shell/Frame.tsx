import { ActionIcon, AppShell, Badge, Burger, Group, NavLink, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Link, useLocation } from "react-router";

import { useSignOut } from "../api/queries";
import type { Session } from "../api/types";
import { PAGES } from "../pages";
import { IconDocs, IconSignOut } from "../ui/icons";
import { Brand } from "./Brand";
import { ColourScheme } from "./ColourScheme";

/** Header, navigation and the place where pages stand. */
export function Frame({ session, children }: { session: Session; children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", md: "xl" }}
    >
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Show navigation" />
            <Brand />
          </Group>
          <Account session={session} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <Navigation followed={close} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

function Navigation({ followed }: { followed: () => void }) {
  const { pathname } = useLocation();
  const here = pathname.replace(/(.)\/$/, "$1");
  return (
    <>
      {PAGES.map(({ path, label, icon: Icon }) => (
        <NavLink
          key={path}
          component={Link}
          to={path}
          label={label}
          leftSection={<Icon size={18} aria-hidden />}
          active={here === path}
          aria-current={here === path ? "page" : undefined}
          onClick={followed}
        />
      ))}
      <NavLink href="/docs" label="API reference" leftSection={<IconDocs size={18} aria-hidden />} />
    </>
  );
}

function Account({ session }: { session: Session }) {
  const signOut = useSignOut();
  return (
    <Group gap="xs" wrap="nowrap">
      <Text size="sm" c="dimmed" visibleFrom="xs">
        {session.key_id}
      </Text>
      <Badge variant="light" tt="none" visibleFrom="xs">
        {session.tenant}
      </Badge>
      <ColourScheme />
      <Tooltip label="Sign out">
        <ActionIcon
          variant="subtle"
          size="lg"
          aria-label="Sign out"
          loading={signOut.isPending}
          onClick={() => signOut.mutate()}
        >
          <IconSignOut size={18} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
