import { Center } from "@mantine/core";
import { Route, Routes } from "react-router";

import { useSession } from "../api/queries";
import { PAGES } from "../pages";
import { Failure, Loading } from "../ui/States";
import { Frame } from "./Frame";
import { NotFound } from "./NotFound";
import { SignIn } from "./SignIn";

/** The whole console: who is signed in decides between the sign-in form and the pages. */
export function Console() {
  const session = useSession();
  if (session.data) {
    return (
      <Frame session={session.data}>
        <Routes>
          {PAGES.map((page) => (
            <Route key={page.path} path={page.path} element={page.element} />
          ))}
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Frame>
    );
  }
  if (session.data === null) {
    return <SignIn />;
  }
  return (
    <Center component="main" mih="100vh" p="md">
      {session.error ? <Failure error={session.error} retry={session.refetch} /> : <Loading what="the console" />}
    </Center>
  );
}
