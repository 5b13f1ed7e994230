// Starts Swagger UI and keeps one session for all of its operations.
//
// The session lives in localStorage, so that it survives a reload and is the same in every tab: its tokens, and nothing about
// the user, whom the server is asked for. A request that carries its access token renews it just before it expires, or when it is
// refused; a token that somebody typed into the "Authorize" dialog is left alone.
"use strict";

(() => {
  const STORAGE_KEY = "bucketlist-docs-session";
  const SWAGGER_KEY = "authorized"; // where Swagger UI itself persists what the dialog was given
  const SCHEME = "bearerAuth";
  const AUTH = "/v1/auth";
  const RENEW_BEFORE_MS = 30_000;
  const AS_THIS_USER = "Every operation below is now called as this user.";
  const FROM_DIALOG = "Operations use the token from the dialog.";

  const element = (id) => document.getElementById(id);
  const notice = element("notice");
  let ui = null;

  // ---- what the bar shows -------------------------------------------------------------------------------------------

  function say(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  function show(session) {
    element("login").hidden = Boolean(session);
    element("session").hidden = !session;
    if (!session) name(null);
    else showUser(session).catch(unreachable);
  }

  function name(user) {
    element("session-user").textContent = user?.email ?? "";
    element("session-role").textContent = user?.role ?? "";
  }

  /** Whose session it is, asked of the server unless the answer that opened it has just said so. */
  async function showUser(session) {
    if (session.user) return name(session.user);
    let current = session;
    if (current.expires_at - Date.now() < RENEW_BEFORE_MS) current = (await renew(current.access_token)) ?? current;
    const ask = () => fetch("/v1/users/me", { headers: { Accept: "application/json", Authorization: bearer(current) } });
    let response = await ask();
    if (response.status === 401 && (current = await renew(current.access_token))) response = await ask();
    const user = response.ok && (await response.json());
    // Meanwhile somebody else may have logged in, or nobody be.
    if (user && stored()?.access_token === current.access_token) name(user);
  }

  /** The server's own sentence, whichever of the two error shapes it comes in. */
  async function inWords(response) {
    let message = "";
    try {
      const body = await response.json();
      message = body?.error?.message ?? body?.detail ?? body?.title ?? "";
    } catch { /* not JSON: the status has to do */ }
    message ||= `The server answered ${response.status} ${response.statusText}`.trim();
    const wait = response.headers.get("Retry-After");
    if (response.status === 429 && wait) message += ` Try again in ${wait} s.`;
    return message;
  }

  // ---- the session --------------------------------------------------------------------------------------------------

  function stored() {
    try {
      const session = JSON.parse(localStorage.getItem(STORAGE_KEY));
      return session?.access_token ? session : null;
    } catch {
      return null;
    }
  }

  /** Takes over an AuthSession, wherever it came from. */
  function adopt(answer) {
    const { access_token, refresh_token, expires_in = 0 } = answer;
    const session = { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
    localStorage.setItem(STORAGE_KEY, JSON.stringify(session));
    localStorage.removeItem(SWAGGER_KEY);
    use({ ...session, user: answer.user });
    return session;
  }

  function forget() {
    localStorage.removeItem(STORAGE_KEY);
    use(null);
  }

  /** Makes bar and Swagger UI agree with a session, or with having none. */
  function use(session) {
    show(session);
    if (ui) authorize(session);
  }

  function authorize(session) {
    if (!session) {
      if (isAuthorized()) ui.authActions.logout([SCHEME]);
      return;
    }
    // What `preauthorizeApiKey` does, but with the scheme in the form that `persistAuthorization` expects: with the helper's
    // plain object Swagger UI 5.17 logs a TypeError each time.
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
    if (!response.ok) throw new Error(await inWords(response));
    adopt(await response.json());
    say(AS_THIS_USER);
  }

  async function logOut() {
    const session = stored();
    forget();
    if (!session) return;
    const response = await post("/logout", null, session.access_token);
    // An expired token is as logged out as can be.
    if (response.ok || response.status === 401) say("Logged out.");
    else say(`Forgotten here, but the server did not end the session: ${await inWords(response)}`, true);
  }

  /**
   * A session with another access token than `refused`, or null. One at a time over all tabs: a refresh token works once,
   * and a second use of it would end the whole session. (Without HTTPS there are no locks; then at least one per tab.)
   */
  let renewing = null;
  function renew(refused) {
    const task = () => (navigator.locks ? navigator.locks.request(STORAGE_KEY, once) : once());
    const once = async () => {
      const session = stored();
      if (!session || session.access_token !== refused) return session; // another tab was faster, or has logged out
      const response = await post("/refresh", { refresh_token: session.refresh_token });
      if (response.ok) return adopt(await response.json());
      if (response.status >= 500 || response.status === 429) {
        say(`The session could not be renewed: ${await inWords(response)}`, true);
        return null;
      }
      forget();
      say("Your session has ended. Please log in again.", true);
      return null;
    };
    renewing ??= task().finally(() => { renewing = null; });
    return renewing;
  }

  // ---- Swagger UI ---------------------------------------------------------------------------------------------------

  const bearer = (session) => `Bearer ${session.access_token}`;
  const isOurs = (request, session) => session && request.headers?.Authorization === bearer(session);

  async function beforeRequest(request) {
    if (request.loadSpec) return request;
    const session = stored();
    if (!isOurs(request, session)) return request;
    if (session.expires_at - Date.now() < RENEW_BEFORE_MS) {
      const renewed = await renew(session.access_token).catch(() => null);
      if (renewed) request.headers.Authorization = bearer(renewed);
    }
    // Swagger UI sends through `userFetch` where a request has one: the place to try a refused request once more.
    request.userFetch = async (url, options) => {
      const response = await fetch(url, options);
      if (response.status !== 401) return response;
      const used = options.headers.Authorization.slice("Bearer ".length);
      const renewed = await renew(used).catch(() => null);
      if (!renewed || renewed.access_token === used) return response;
      return fetch(url, { ...options, headers: { ...options.headers, Authorization: bearer(renewed) } });
    };
    return request;
  }

  /** Operations that begin or end a session do so for the whole page. */
  function afterResponse(response) {
    if (!response.ok || !response.url) return response;
    const path = new URL(response.url, location.href).pathname;
    if (/\/auth\/(login|register|refresh)$/.test(path)) {
      try {
        const answer = JSON.parse(response.text);
        if (answer.access_token) {
          adopt(answer);
          say(AS_THIS_USER);
        }
      } catch { /* an answer that is no session changes nothing */ }
    } else if (response.status === 204 && stored()) {
      endedBy(path);
    }
    return response;
  }

  function endedBy(path) {
    // Of the operations on one's sessions only their end answers without a body.
    if (/\/auth\/(logout|sessions)$/.test(path)) {
      forget();
      say("Logged out.");
    } else if (/\/auth\/sessions\/\d+$/.test(path)) {
      noticeEnd().catch(unreachable);
    } else if (/\/users\/me$/.test(path)) {
      // Of the operations on one's own account only its deletion answers without a body.
      forget();
      say("The account is deleted. Log in with another one.");
    }
  }

  /** Whether the session that was ended is this page's own, only the server can say. */
  async function noticeEnd() {
    const session = stored();
    const response = await fetch("/v1/users/me", { headers: { Authorization: bearer(session) } });
    if (response.status !== 401) return;
    forget();
    say("Logged out.");
  }

  /** The "Authorize" dialog, used by hand, has the last word over the bar. */
  const followDialog = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorizeWithPersistOption: (original) => (authorization) => {
            localStorage.removeItem(STORAGE_KEY);
            show(null);
            say(FROM_DIALOG);
            return original(authorization);
          },
          logoutWithPersistOption: (original) => (schemes) => {
            const result = original(schemes);
            if (stored()) logOut().catch(unreachable);
            else say("");
            return result;
          },
        },
      },
    },
  });

  function unreachable() {
    say("The server cannot be reached.", true);
  }

  function start() {
    if (typeof SwaggerUIBundle !== "function") {
      say("Swagger UI did not load. Reload the page; if that does not help, this server was built without it.", true);
      return;
    }
    const contracts = document.body.dataset.contracts.split(" ").filter(Boolean);
    const asked = new URLSearchParams(location.search).get("contract");
    const contract = contracts.includes(asked) ? asked : contracts[0];
    document.querySelector(`[data-contract="${contract}"]`)?.setAttribute("aria-current", "page");
    element("elsewhere").href = `/redoc?contract=${contract}`;

    const started = SwaggerUIBundle({
      dom_id: "#ui",
      url: `/openapi/${contract}.json`,
      presets: [SwaggerUIBundle.presets.apis],
      plugins: [followDialog],
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
        // Only now does Swagger UI know the security scheme of the document.
        ui = started;
        const session = stored();
        if (session) authorize(session);
        else if (isAuthorized()) say(FROM_DIALOG);
      },
    });
  }

  element("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? event.target.querySelector("button");
    button.disabled = true;
    say("Logging in…");
    try {
      await logIn(element("login-email").value, element("login-password").value);
      event.target.reset(); // no password stays behind in a hidden field
      element("logout").focus();
    } catch (error) {
      // A failed fetch is a TypeError; everything else already is a sentence.
      if (error instanceof TypeError) unreachable();
      else say(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
  element("logout").addEventListener("click", () => {
    logOut().catch(unreachable).finally(() => element("login-email").focus());
  });
  // Another tab logged in, out, or renewed the session.
  addEventListener("storage", (event) => {
    if (event.key === STORAGE_KEY || event.key === null) use(stored());
  });

  show(stored());
  if (stored()) say("");
  start();
})();
