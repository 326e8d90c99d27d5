import type { Problem } from "./types";

const JSON_TYPES = /^application\/([\w.-]+\+)?json/;

/** An answer outside 2xx, or none at all (status 0); `message` is fit to be shown. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly problem: Problem = { status },
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Calls the API with the session's cookie and returns the decoded answer, `undefined` for an empty one. */
export async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await send(method, path, body);
  const text = await response.text();
  const isJson = JSON_TYPES.test(response.headers.get("content-type") ?? "");
  const decoded: unknown = isJson && text ? JSON.parse(text) : undefined;
  if (!response.ok) {
    throw errorOf(response.status, decoded as Problem | undefined);
  }
  return decoded as Answer;
}

async function send(method: string, path: string, body: unknown): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin", headers: { accept: "application/json" } };
  if (body !== undefined) {
    init.headers = { accept: "application/json", "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, init);
  } catch {
    throw new ApiError(0, "The server does not answer. It may be restarting; this page tries again by itself.");
  }
}

function errorOf(status: number, problem: Problem | undefined): ApiError {
  const said = problem?.detail ?? problem?.title;
  return new ApiError(status, said ?? `The server answered with status ${status}.`, problem ?? { status });
}
