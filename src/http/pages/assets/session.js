// The session that /docs and the console share.
//
// Its tokens are in localStorage, so that it survives a reload and is the same in every tab. Data about the user is not stored but requested from
// the server. A request refreshes the session shortly before the access token expires, or after a 401.
"use strict";

window.BucketList = (() => {
  const { base, url } = window.BucketListPage;
  // Servers below other paths have the same storage.
  const STORAGE_KEY = `bucketlist-session${base}`;
  const AUTH = "/v2/auth";
  const REFRESH_BEFORE_MS = 30_000;
  const UNREACHABLE = "The server is unreachable. Check the connection and try again.";
  const ENDED = "Your session has ended. Log in again.";

  /** An error response: the message for the user, and the problem details and the request ID if there are any. */
  class ApiError extends Error {
    constructor(message, status, problem, requestId = null) {
      super(message);
      Object.assign(this, { status, problem, requestId });
    }
  }

  /** Returns the error of a response in the format of v1 or v2. */
  async function errorOf(response) {
    let problem = null;
    try {
      problem = await response.json();
    } catch { /* not JSON: use the status */ }
    let message = problem?.error?.message ?? problem?.detail ?? problem?.title ?? "";
    const violations = (problem?.errors ?? []).map(({ pointer, parameter, header, detail }) => {
      const name = (pointer ?? parameter ?? header ?? "").replace(/^\//, "");
      return name ? `${name}: ${detail}` : detail;
    });
    message = [message, ...violations].filter(Boolean).join(" ") || `The server returned ${response.status} ${response.statusText}`.trim();
    const wait = response.headers.get("Retry-After");
    if (wait && [429, 503].includes(response.status)) message += ` Try again in ${wait} seconds.`;
    return new ApiError(message, response.status, problem, response.headers.get("X-Request-ID"));
  }

  /** Returns the message of any error. A failed fetch is a TypeError. */
  const messageOf = (error) => (error instanceof TypeError ? UNREACHABLE : error.message);

  const listeners = [];
  const notify = (session, reason) => listeners.forEach((listener) => listener(session, reason));

  function stored() {
    try {
      const session = JSON.parse(localStorage.getItem(STORAGE_KEY));
      return session?.access_token ? session : null;
    } catch {
      return null;
    }
  }

  /** Uses an AuthSession as the session of the pages. */
  function start(authSession) {
    const { access_token, refresh_token, expires_in = 0 } = authSession;
    const session = { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
    localStorage.setItem(STORAGE_KEY, JSON.stringify(session));
    notify({ ...session, user: authSession.user });
    return session;
  }

  function clear(reason = "") {
    localStorage.removeItem(STORAGE_KEY);
    notify(null, reason);
  }

  const bearer = (session) => `Bearer ${session.access_token}`;

  const post = (path, body, token) => fetch(url(AUTH + path), {
    method: "POST",
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });

  /** Logs in and returns the AuthSession. `accept` can reject the user with an error message. */
  async function logIn(email, password, accept = () => null) {
    const response = await post("/login", { email, password });
    if (!response.ok) throw await errorOf(response);
    const authSession = await response.json();
    const rejection = accept(authSession.user);
    if (rejection) {
      await post("/logout", null, authSession.access_token);
      throw new ApiError(rejection, 403, null);
    }
    start(authSession);
    return authSession;
  }

  async function logOut() {
    const session = stored();
    clear();
    if (!session) return;
    const response = await post("/logout", null, session.access_token);
    // With an expired token, the session is already over.
    if (response.ok || response.status === 401) return;
    throw new ApiError(`Logged out in this browser, but the server did not end the session: ${(await errorOf(response)).message}`, response.status, null);
  }

  /**
   * Returns a session with an access token other than `rejected`, or null. Only one refresh runs at a time across all tabs: a
   * refresh token is single-use, and reusing it ends the session. Without HTTPS, locks are not available, and the limit applies per tab.
   */
  let refreshing = null;
  function refresh(rejected) {
    const refreshOnce = async () => {
      const session = stored();
      if (!session || session.access_token !== rejected) return session; // another tab has refreshed or logged out
      const response = await post("/refresh", { refresh_token: session.refresh_token });
      if (response.ok) return start(await response.json());
      if (response.status >= 500 || response.status === 429) {
        throw new ApiError(`The session could not be refreshed: ${(await errorOf(response)).message}`, response.status, null);
      }
      clear(ENDED);
      return null;
    };
    refreshing ??= (navigator.locks ? navigator.locks.request(STORAGE_KEY, refreshOnce) : refreshOnce())
      .finally(() => { refreshing = null; });
    return refreshing;
  }

  const isExpiring = (session) => session.expires_at - Date.now() < REFRESH_BEFORE_MS;

  /** Sends a request of the session and returns the response, or throws an ApiError. */
  async function call(path, { method = "GET", accept = "application/json", body = null, headers = {} } = {}) {
    let session = stored();
    if (session && isExpiring(session)) session = await refresh(session.access_token);
    const send = () => {
      const all = { Accept: accept, Authorization: bearer(session), ...headers };
      if (body) all["Content-Type"] = "application/json";
      return fetch(url(path), { method, headers: all, body: body && JSON.stringify(body) });
    };
    const ended = () => new ApiError(ENDED, 401, null);
    if (!session) throw ended();
    let response = await send();
    if (response.status === 401) {
      session = await refresh(session.access_token);
      if (!session) throw ended();
      response = await send();
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** Returns the user of the session. */
  const user = async () => (await call("/v2/users/me")).json();

  // Another tab has logged in, logged out or refreshed the session.
  addEventListener("storage", (event) => {
    if (event.key === STORAGE_KEY || event.key === null) notify(stored());
  });

  return {
    ApiError, bearer, call, clear, isExpiring, logIn, logOut, messageOf, refresh, start, stored, user,
    onChange: (listener) => listeners.push(listener),
  };
})();
