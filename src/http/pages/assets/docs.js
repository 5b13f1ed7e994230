// Starts Swagger UI, and uses one session for all of its operations.
//
// A request with the session's access token refreshes it shortly before it expires, or after a 401. A token from the "Authorize" dialog is
// not changed.
"use strict";

(() => {
  const { bearer, clear, isExpiring, logIn, logOut, messageOf, onChange, refresh, start, stored, user } = window.BucketList;
  const { prepare, plugin } = window.BucketListDocs;
  const { failed, json, loaded, script, selectContract, style, url } = window.BucketListPage;
  const SWAGGER_KEY = "authorized"; // the key under which Swagger UI stores the token of the dialog
  const SCHEME = "bearerAuth";
  const USING_SESSION = "All operations below use this session.";
  const USING_DIALOG_TOKEN = "Operations use the token from the Authorize dialog.";

  const element = (id) => document.getElementById(id);
  const notice = element("notice");
  let ui = null;
  let usesDialogToken = false;

  function showMessage(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  const showError = (error) => showMessage(messageOf(error), true);

  // ---- the session --------------------------------------------------------------------------------------------------

  function showIdentity(identity) {
    element("session-user").textContent = identity?.email ?? "";
    element("session-role").textContent = identity ? `(${identity.role})` : "";
    element("admin-note").hidden = identity?.role !== "admin";
  }

  /** Shows the session, or the form to log in. The focus follows if the element that has it disappears. */
  function showSession(session) {
    const [shown, hidden] = session ? ["session", "login"] : ["login", "session"];
    const hadFocus = element(hidden).contains(document.activeElement);
    element(hidden).hidden = true;
    element(shown).hidden = false;
    if (hadFocus) element(session ? "logout" : "login-email").focus();
    if (!session) return showIdentity(null);
    if (session.user) return showIdentity(session.user);
    const token = session.access_token;
    user().then((identity) => {
      // The session may have changed in the meantime, for example because it was refreshed.
      const current = stored();
      if (current && (current.access_token === token || !element("session-user").textContent)) showIdentity(identity);
    }).catch((error) => { if (stored()) showError(error); });
  }

  /** Updates the page and Swagger UI for a session, or for none. */
  function applySession(session, reason = "") {
    if (session) {
      usesDialogToken = false;
      localStorage.removeItem(SWAGGER_KEY);
    }
    showSession(session);
    if (reason) showMessage(reason, true);
    if (ui && !usesDialogToken) authorize(session);
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

  // ---- requests of Swagger UI ---------------------------------------------------------------------------------------

  const usesSession = (request, session) => session && request.headers?.Authorization === bearer(session);

  /** Sends a request. Swagger UI explains a failed one with CORS, which does not apply to the server of this page. */
  async function send(target, options) {
    try {
      return await fetch(target, options);
    } catch (error) {
      throw Object.assign(new Error(messageOf(error)), { name: "" });
    }
  }

  async function beforeRequest(request) {
    // The first server of the document can be the public URL. The page may send requests only to the host it was loaded from.
    const url = new URL(request.url, location.href);
    request.url = location.origin + url.pathname + url.search;
    window.BucketListDocs.addIdempotencyKey(request, url.pathname);
    window.BucketListHistory.started(request);
    const session = stored();
    request.userFetch = send;
    if (!usesSession(request, session)) return request;
    if (isExpiring(session)) {
      const refreshed = await refresh(session.access_token).catch(() => null);
      if (refreshed) request.headers.Authorization = bearer(refreshed);
    }
    // Swagger UI uses the `userFetch` of a request to send it. This one retries once after a 401.
    request.userFetch = async (target, options) => {
      const response = await send(target, options);
      if (response.status !== 401) return response;
      const used = options.headers.Authorization.slice("Bearer ".length);
      const refreshed = await refresh(used).catch((error) => showError(error));
      if (!refreshed || refreshed.access_token === used) return response;
      return send(target, { ...options, headers: { ...options.headers, Authorization: bearer(refreshed) } });
    };
    return request;
  }

  /** Applies operations that start or end a session to the whole page. */
  function afterResponse(response) {
    window.BucketListHistory.ended(response);
    if (!response.ok || !response.url) return response;
    if (response.headers?.location && [201, 202].includes(response.status)) window.BucketListDocs.fillIds(ui, response.headers.location);
    const path = new URL(response.url, location.href).pathname;
    if (/\/auth\/(login|register|refresh)$/.test(path)) {
      try {
        const authSession = JSON.parse(response.text);
        if (authSession.access_token) {
          start(authSession);
          showMessage(USING_SESSION);
        }
      } catch { /* not a session */ }
    } else if (response.status === 204 && stored()) {
      handleEndedSession(path);
    }
    return response;
  }

  function handleEndedSession(path) {
    // Of the operations on sessions, only deletion returns 204.
    if (/\/auth\/(logout|sessions)$/.test(path)) {
      clear();
      showMessage("Logged out.");
    } else if (/\/auth\/sessions\/\d+$/.test(path)) {
      checkSession().catch(showError);
    } else if (/\/users\/me(\/delete)?$/.test(path)) {
      // Of the operations on the account, only deletion returns 204.
      clear();
      showMessage("The account is deleted. Log in with another account.");
    }
  }

  /** Checks whether the deleted session is the one of this page. */
  async function checkSession() {
    const response = await fetch(url("/v2/users/me"), { headers: { Authorization: bearer(stored()) } });
    if (response.status !== 401) return;
    clear();
    showMessage("Logged out.");
  }

  /** Gives a token of the "Authorize" dialog precedence over the session. */
  const authorizeDialogPlugin = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorizeWithPersistOption: (original) => (authorization) => {
            usesDialogToken = true;
            clear();
            showMessage(USING_DIALOG_TOKEN);
            return original(authorization);
          },
          logoutWithPersistOption: (original) => (schemes) => {
            const result = original(schemes);
            if (stored()) logOut().then(() => showMessage("Logged out."), showError);
            else showMessage("");
            return result;
          },
        },
      },
    },
  });

  // ---- start --------------------------------------------------------------------------------------------------------

  async function load() {
    const { swaggerJs, swaggerCss } = document.body.dataset;
    const contract = selectContract("/reference");
    const [spec] = await Promise.all([json(`/openapi/${contract}.json`), script(swaggerJs), style(swaggerCss)]);
    if (typeof SwaggerUIBundle !== "function") throw new Error("Swagger UI is missing");
    await new Promise((resolve) => {
      const started = SwaggerUIBundle({
        dom_id: "#ui",
        spec: prepare(spec),
        presets: [SwaggerUIBundle.presets.apis],
        plugins: [authorizeDialogPlugin, plugin],
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
          const session = stored();
          if (session) authorize(session);
          else if (isAuthorized()) showMessage(USING_DIALOG_TOKEN);
          resolve();
        },
      });
    });
    loaded();
    window.BucketListDocs.watch(element("ui"));
  }

  element("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const button = event.submitter ?? form.querySelector("button");
    button.disabled = true;
    showMessage("Logging in…");
    try {
      await logIn(element("login-email").value, element("login-password").value);
      form.reset(); // leave no password in a hidden field
      showMessage(USING_SESSION);
      element("logout").focus();
    } catch (error) {
      showError(error);
      button.disabled = false;
      element("login-password").focus();
    } finally {
      button.disabled = false;
    }
  });
  element("logout").addEventListener("click", () => {
    logOut().then(() => showMessage("Logged out."), showError).finally(() => element("login-email").focus());
  });

  onChange(applySession);
  showSession(stored());
  if (stored()) showMessage("");
  load().catch(() => failed("The documentation did not load. If the problem persists, contact the operator of this server."));
})();
