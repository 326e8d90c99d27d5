import type { ReactElement } from "react";

import { OverviewPage } from "./pages/overview/OverviewPage";
import { IconDashboard } from "./ui/icons";

export interface ConsolePage {
  path: string;
  label: string;
  icon: typeof IconDashboard;
  element: ReactElement;
}

// Navigation and routes both come from this list, so there is no link without a page.
export const PAGES: ConsolePage[] = [
  { path: "/admin", label: "Overview", icon: IconDashboard, element: <OverviewPage /> },
];
