// The icons of the console under the names of what they stand for.
export {
  IconAlertTriangle as IconAlert,
  IconBook2 as IconDocs,
  IconCircleCheck as IconCheck,
  IconClock as IconWait,
  IconInbox as IconEmpty,
  IconLayoutDashboard as IconDashboard,
  IconLogout as IconSignOut,
  IconMoon,
  IconSun,
} from "@tabler/icons-react";
