// Starts Swagger UI and shares one session between all of its operations.
//
// The tokens of the session are in localStorage, so that it survives a reload and is the same in every tab. Data about the user is
// not stored but requested from the server. A request with the session's access token refreshes it shortly before it expires, or
// after a 401. A token from the "Authorize" dialog is not changed.
"use strict";

(() => {
  const STORAGE_KEY = "bucketlist-docs-session";
  const SWAGGER_KEY = "authorized"; // the key under which Swagger UI stores the token of the dialog
  const SCHEME = "bearerAuth";
  const AUTH = "/v2/auth";
  const REFRESH_BEFORE_MS = 30_000;
  const USING_SESSION = "All operations below use this session.";
  const USING_DIALOG_TOKEN = "Operations use the token from the Authorize dialog.";

  const element = (id) => document.getElementById(id);
  const notice = element("notice");
  let ui = null;

  // ---- login bar ----------------------------------------------------------------------------------------------------

  function showMessage(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  function showSession(session) {
    element("login").hidden = Boolean(session);
    element("session").hidden = !session;
    if (!session) showIdentity(null);
    else showUser(session).catch(showUnreachable);
  }

  function showIdentity(user) {
    element("session-user").textContent = user?.email ?? "";
    element("session-role").textContent = user?.role ?? "";
  }

  /** Shows the user of the session, requested from the server unless the login response contained it. */
  async function showUser(session) {
    if (session.user) return showIdentity(session.user);
    let current = session;
    if (current.expires_at - Date.now() < REFRESH_BEFORE_MS) current = (await refresh(current.access_token)) ?? current;
    const request = () => fetch("/v2/users/me", { headers: { Accept: "application/json", Authorization: bearer(current) } });
    let response = await request();
    if (response.status === 401 && (current = await refresh(current.access_token))) response = await request();
    const user = response.ok && (await response.json());
    // The session may have changed in the meantime.
    if (user && storedSession()?.access_token === current.access_token) showIdentity(user);
  }

  /** Returns the message of an error response in the format of v1 or v2. */
  async function errorMessage(response) {
    let message = "";
    try {
      const body = await response.json();
      message = body?.error?.message ?? body?.detail ?? body?.title ?? "";
    } catch { /* not JSON: use the status */ }
    message ||= `The server returned ${response.status} ${response.statusText}`.trim();
    const wait = response.headers.get("Retry-After");
    if (response.status === 429 && wait) message += ` Try again in ${wait} seconds.`;
    return message;
  }

  // ---- the session --------------------------------------------------------------------------------------------------

  function storedSession() {
    try {
      const session = JSON.parse(localStorage.getItem(STORAGE_KEY));
      return session?.access_token ? session : null;
    } catch {
      return null;
    }
  }

  /** Uses an AuthSession as the session of the page. */
  function startSession(authSession) {
    const { access_token, refresh_token, expires_in = 0 } = authSession;
    const session = { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
    localStorage.setItem(STORAGE_KEY, JSON.stringify(session));
    localStorage.removeItem(SWAGGER_KEY);
    applySession({ ...session, user: authSession.user });
    return session;
  }

  function clearSession() {
    localStorage.removeItem(STORAGE_KEY);
    applySession(null);
  }

  /** Updates the login bar and Swagger UI for a session, or for none. */
  function applySession(session) {
    showSession(session);
    if (ui) authorize(session);
  }

  function authorize(session) {
    if (!session) {
      if (isAuthorized()) ui.authActions.logout([SCHEME]);
      return;
    }
    // Like `preauthorizeApiKey`, but with the scheme in the form that `persistAuthorization` expects: with the plain object of that
    // helper, Swagger UI 5.17 logs a TypeError.
    const schema = ui.specSelectors.specJson().getIn(["components", "securitySchemes", SCHEME]);
    if (schema) ui.authActions.authorize({ [SCHEME]: { name: SCHEME, schema, value: session.access_token } });
  }

  const isAuthorized = () => ui.authSelectors.authorized().has(SCHEME);

  const post = (path, body, token) => fetch(AUTH + path, {
    method: "POST",
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });

  async function logIn(email, password) {
    const response = await post("/login", { email, password });
    if (!response.ok) throw new Error(await errorMessage(response));
    startSession(await response.json());
    showMessage(USING_SESSION);
  }

  async function logOut() {
    const session = storedSession();
    clearSession();
    if (!session) return;
    const response = await post("/logout", null, session.access_token);
    // With an expired token, the session is already over.
    if (response.ok || response.status === 401) showMessage("Logged out.");
    else showMessage(`Logged out in this browser, but the server did not end the session: ${await errorMessage(response)}`, true);
  }

  /**
   * Returns a session with an access token other than `rejected`, or null. Only one refresh runs at a time across all tabs: a
   * refresh token is single-use, and reusing it ends the session. Without HTTPS, locks are not available, and the limit applies per tab.
   */
  let refreshing = null;
  function refresh(rejected) {
    const task = () => (navigator.locks ? navigator.locks.request(STORAGE_KEY, refreshOnce) : refreshOnce());
    const refreshOnce = async () => {
      const session = storedSession();
      if (!session || session.access_token !== rejected) return session; // another tab has refreshed or logged out
      const response = await post("/refresh", { refresh_token: session.refresh_token });
      if (response.ok) return startSession(await response.json());
      if (response.status >= 500 || response.status === 429) {
        showMessage(`The session could not be refreshed: ${await errorMessage(response)}`, true);
        return null;
      }
      clearSession();
      showMessage("Your session has ended. Log in again.", true);
      return null;
    };
    refreshing ??= task().finally(() => { refreshing = null; });
    return refreshing;
  }

  // ---- Swagger UI ---------------------------------------------------------------------------------------------------

  const bearer = (session) => `Bearer ${session.access_token}`;
  const usesSession = (request, session) => session && request.headers?.Authorization === bearer(session);

  async function beforeRequest(request) {
    if (request.loadSpec) return request;
    // The first server of the document can be the public URL. The page may send requests only to the host it was loaded from.
    const url = new URL(request.url, location.href);
    request.url = location.origin + url.pathname + url.search;
    const session = storedSession();
    if (!usesSession(request, session)) return request;
    if (session.expires_at - Date.now() < REFRESH_BEFORE_MS) {
      const refreshed = await refresh(session.access_token).catch(() => null);
      if (refreshed) request.headers.Authorization = bearer(refreshed);
    }
    // Swagger UI uses the `userFetch` of a request to send it. This one retries once after a 401.
    request.userFetch = async (url, options) => {
      const response = await fetch(url, options);
      if (response.status !== 401) return response;
      const used = options.headers.Authorization.slice("Bearer ".length);
      const refreshed = await refresh(used).catch(() => null);
      if (!refreshed || refreshed.access_token === used) return response;
      return fetch(url, { ...options, headers: { ...options.headers, Authorization: bearer(refreshed) } });
    };
    return request;
  }

  /** Applies operations that start or end a session to the whole page. */
  function afterResponse(response) {
    if (!response.ok || !response.url) return response;
    const path = new URL(response.url, location.href).pathname;
    if (/\/auth\/(login|register|refresh)$/.test(path)) {
      try {
        const authSession = JSON.parse(response.text);
        if (authSession.access_token) {
          startSession(authSession);
          showMessage(USING_SESSION);
        }
      } catch { /* not a session */ }
    } else if (response.status === 204 && storedSession()) {
      handleEndedSession(path);
    }
    return response;
  }

  function handleEndedSession(path) {
    // Of the operations on sessions, only deletion returns 204.
    if (/\/auth\/(logout|sessions)$/.test(path)) {
      clearSession();
      showMessage("Logged out.");
    } else if (/\/auth\/sessions\/\d+$/.test(path)) {
      checkSession().catch(showUnreachable);
    } else if (/\/users\/me(\/delete)?$/.test(path)) {
      // Of the operations on the account, only deletion returns 204.
      clearSession();
      showMessage("The account is deleted. Log in with another account.");
    }
  }

  /** Checks whether the deleted session is the one of this page. */
  async function checkSession() {
    const session = storedSession();
    const response = await fetch("/v2/users/me", { headers: { Authorization: bearer(session) } });
    if (response.status !== 401) return;
    clearSession();
    showMessage("Logged out.");
  }

  /** Gives a token of the "Authorize" dialog precedence over the session. */
  const authorizeDialogPlugin = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorizeWithPersistOption: (original) => (authorization) => {
            localStorage.removeItem(STORAGE_KEY);
            showSession(null);
            showMessage(USING_DIALOG_TOKEN);
            return original(authorization);
          },
          logoutWithPersistOption: (original) => (schemes) => {
            const result = original(schemes);
            if (storedSession()) logOut().catch(showUnreachable);
            else showMessage("");
            return result;
          },
        },
      },
    },
  });

  function showUnreachable() {
    showMessage("The server is unreachable.", true);
  }

  function start() {
    if (typeof SwaggerUIBundle !== "function") {
      showMessage("Swagger UI did not load. Reload the page. If the problem persists, contact the operator of this server.", true);
      return;
    }
    const contracts = document.body.dataset.contracts.split(" ").filter(Boolean);
    const requested = new URLSearchParams(location.search).get("contract");
    const contract = contracts.includes(requested) ? requested : contracts[0];
    document.querySelector(`[data-contract="${contract}"]`)?.setAttribute("aria-current", "page");
    element("other-page").href = `/redoc?contract=${contract}`;

    const started = SwaggerUIBundle({
      dom_id: "#ui",
      url: `/openapi/${contract}.json`,
      presets: [SwaggerUIBundle.presets.apis],
      plugins: [authorizeDialogPlugin],
      layout: "BaseLayout",
      deepLinking: true,
      displayOperationId: true,
      displayRequestDuration: true,
      docExpansion: "list",
      filter: true,
      persistAuthorization: true,
      tryItOutEnabled: true,
      validatorUrl: null,
      defaultModelsExpandDepth: 0,
      requestInterceptor: beforeRequest,
      responseInterceptor: afterResponse,
      onComplete: () => {
        // The security scheme of the document is available only now.
        ui = started;
        const session = storedSession();
        if (session) authorize(session);
        else if (isAuthorized()) showMessage(USING_DIALOG_TOKEN);
      },
    });
  }

  element("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? event.target.querySelector("button");
    button.disabled = true;
    showMessage("Logging in…");
    try {
      await logIn(element("login-email").value, element("login-password").value);
      event.target.reset(); // leave no password in a hidden field
      element("logout").focus();
    } catch (error) {
      // A failed fetch is a TypeError; other errors have a message for the user.
      if (error instanceof TypeError) showUnreachable();
      else showMessage(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
  element("logout").addEventListener("click", () => {
    logOut().catch(showUnreachable).finally(() => element("login-email").focus());
  });
  // Another tab has logged in, logged out or refreshed the session.
  addEventListener("storage", (event) => {
    if (event.key === STORAGE_KEY || event.key === null) applySession(storedSession());
  });

  showSession(storedSession());
  if (storedSession()) showMessage("");
  start();
})();
