import { afterEach, expect, test, vi } from "vitest";

import { ApiError, call } from "./client";

afterEach(() => vi.unstubAllGlobals());

function serverAnswers(status: number, body: string | null, type: string) {
  const asked = vi.fn(() => Promise.resolve(new Response(body, { status, headers: { "content-type": type } })));
  vi.stubGlobal("fetch", asked);
  return asked;
}

test("an answer is decoded", async () => {
  serverAnswers(200, '{"requests": 3}', "application/json");
  expect(await call("GET", "/x")).toEqual({ requests: 3 });
});

test("a body is sent as JSON with the session's cookie", async () => {
  const asked = serverAnswers(204, null, "text/plain");
  expect(await call("POST", "/x", { api_key: "k" })).toBeUndefined();
  const init = { body: '{"api_key":"k"}', credentials: "same-origin", method: "POST" };
  expect(asked).toHaveBeenCalledWith("/x", expect.objectContaining(init));
});

test("a problem document becomes an error that says its detail and keeps its parts", async () => {
  const problem = { status: 503, title: "Unavailable", detail: "the database does not answer", request_id: "r1" };
  serverAnswers(503, JSON.stringify(problem), "application/problem+json; charset=utf-8");
  const error = await call("GET", "/x").catch((caught: unknown) => caught as ApiError);
  expect(error).toMatchObject({ status: 503, message: "the database does not answer", problem: { request_id: "r1" } });
});

test("an answer that is not JSON is never shown as it is", async () => {
  serverAnswers(502, "<html>bad gateway</html>", "text/html");
  await expect(call("GET", "/x")).rejects.toThrow("The server answered with status 502.");
});

test("no answer at all is an error of status 0", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(call("GET", "/x")).rejects.toMatchObject({ status: 0 });
});
