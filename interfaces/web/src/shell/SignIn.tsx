import { Alert, Button, Center, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";

import { ApiError } from "../api/client";
import { useSignIn } from "../api/queries";
import { Brand } from "./Brand";

/** Asks for an API key and trades it for a session cookie; the key leaves this form only to the server. */
export function SignIn() {
  const signIn = useSignIn();
  const [apiKey, setApiKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate(apiKey.trim(), { onSuccess: () => setApiKey("") });
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={420}>
        <form onSubmit={submit} autoComplete="off">
          <Stack>
            <Brand />
            <div>
              <Title order={1} size="h3">
                Sign in
              </Title>
              <Text size="sm" c="dimmed">
                With an API key of your tenant. The start of the server printed the first one.
              </Text>
            </div>
            <PasswordInput
              label="API key"
              autoComplete="off"
              spellCheck={false}
              data-autofocus
              autoFocus
              value={apiKey}
              onChange={(event) => setApiKey(event.currentTarget.value)}
            />
            {signIn.error && (
              <Alert color="red" role="alert" title="Not signed in">
                {reasonOf(signIn.error)}
              </Alert>
            )}
            <Button type="submit" loading={signIn.isPending} disabled={!apiKey.trim()}>
              Sign in
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}

function reasonOf(error: Error): string {
  const refused = error instanceof ApiError && error.status === 401;
  return refused ? "This key is not known, was revoked, or has expired." : error.message;
}
