// Lists, shows, exports, resolves and deletes incidents.
//
// Uses /v2/admin/incidents. The session is in sessionStorage: it ends with the tab and is not shared with other tabs.
"use strict";

(() => {
  const STORAGE_KEY = "bucketlist-console-session";
  const REPORT_KEY = "bucketlist-console-report";
  const INCIDENTS = "/v2/admin/incidents";
  const REFRESH_BEFORE_MS = 30_000;
  const MEDIA_TYPES = { postman: "application/json", curl: "text/plain", har: "application/json" };
  const EXTENSIONS = { postman: "postman_collection.json", curl: "sh", har: "har" };

  const element = (id) => document.getElementById(id);
  const notice = element("notice");

  function say(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  /** Displays an error. */
  function sayError(error) {
    say(error instanceof TypeError ? "The server is unreachable." : error.message, true);
  }

  async function errorMessage(response) {
    let problem = null;
    try {
      problem = await response.json();
    } catch { /* not JSON: use the status */ }
    const text = problem?.detail || problem?.title || `The server returned ${response.status}.`;
    const wait = response.headers.get("Retry-After");
    return response.status === 429 && wait ? `${text} Try again in ${wait} seconds.` : text;
  }

  // ---- session ------------------------------------------------------------------------------------------------------

  const stored = (key) => {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  };

  /** Only the tokens of the session are stored. The user is requested from the server. */
  let user = null;
  function adopt(authSession) {
    user = authSession.user;
    const { access_token, refresh_token, expires_in } = authSession;
    const session = { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(session));
  }

  const post = (path, body) => fetch(`/v2/auth${path}`, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

  async function logIn(email, password) {
    const response = await post("/login", { email, password });
    if (!response.ok) throw new Error(await errorMessage(response));
    const session = await response.json();
    if (session.user.role !== "admin") {
      await fetch("/v2/auth/logout", { method: "POST", headers: { Authorization: `Bearer ${session.access_token}` } });
      throw new Error(`${session.user.email} is not an administrator. Only administrators can see incidents.`);
    }
    adopt(session);
  }

  function forget() {
    sessionStorage.clear();
    user = null;
    route();
  }

  /** Only one refresh runs at a time, because a refresh token is single-use. */
  let refreshing = null;
  function refresh(session) {
    refreshing ??= (async () => {
      const response = await post("/refresh", { refresh_token: session.refresh_token });
      if (!response.ok) {
        forget();
        throw new Error("Your session has ended. Log in again.");
      }
      adopt(await response.json());
    })().finally(() => { refreshing = null; });
    return refreshing;
  }

  async function call(path, { method = "GET", accept = "application/json", body = null } = {}) {
    let session = stored(STORAGE_KEY);
    if (session.expires_at - Date.now() < REFRESH_BEFORE_MS) await refresh(session);
    const send = () => {
      session = stored(STORAGE_KEY);
      const headers = { Accept: accept, Authorization: `Bearer ${session.access_token}` };
      if (body) headers["Content-Type"] = "application/json";
      // The server can require If-Match. `*`, because each recurrence of the failure changes the incident.
      if (method !== "GET") headers["If-Match"] = "*";
      return fetch(path, { method, headers, body: body && JSON.stringify(body) });
    };
    let response = await send();
    if (response.status === 401) {
      await refresh(session);
      response = await send();
    }
    if (!response.ok) throw new Error(await errorMessage(response));
    return response;
  }

  // ---- list ---------------------------------------------------------------------------------------------------------

  /** Creates an element with text, never with markup. */
  function create(tag, text, className = "") {
    const created = document.createElement(tag);
    created.textContent = text;
    created.className = className;
    return created;
  }

  const formatTime = (timestamp) => timestamp.replace("T", " ").replace(/\.\d+Z$/, " UTC");
  const outcomeOf = ({ status, code }) => [status, code].filter(Boolean).join(" ");
  const kind = (status) => (status >= 500 ? "response" : "response client");
  const state = (incident) => (incident.resolved ? `resolved${incident.fixed_in ? ` in ${incident.fixed_in}` : ""}` : "unresolved");

  function row(incident) {
    const row = document.createElement("tr");
    const link = create("a", `#${incident.id}`);
    link.href = `#${incident.id}`;
    const cell = (child, className = "") => {
      const cell = create("td", "", className);
      cell.append(child);
      row.append(cell);
    };
    cell(link);
    cell(formatTime(incident.received_at), "received-at");
    cell(incident.operation ?? incident.method);
    cell(create("span", outcomeOf(incident), kind(incident.status)));
    cell(incident.user_id ?? "unknown");
    cell(incident.server_version);
    cell(create("span", state(incident), incident.resolved ? "state" : "state open"));
    cell(incident.request_id, "id");
    return row;
  }

  let next = null;
  async function load(path) {
    const page = await (await call(path)).json();
    next = page.links.next;
    element("rows").append(...page.data.map(row));
    element("empty").hidden = element("rows").childElementCount > 0;
    element("more").hidden = !next;
  }

  async function showList() {
    const filters = [...new FormData(element("filters"))].filter(([, value]) => value.trim() !== "");
    const query = new URLSearchParams(filters.map(([name, value]) => [name, value.trim()])).toString();
    element("rows").replaceChildren();
    await load(query ? `${INCIDENTS}?${query}` : INCIDENTS);
    say("");
  }

  // ---- incident -----------------------------------------------------------------------------------------------------

  let shown = null;

  function message(start, { headers, body }) {
    const lines = [start, ...headers.map(({ name, value }) => `${name}: ${value}`), ""];
    const text = body.text ?? `(base64)\n${body.base64}`;
    return lines.join("\n") + (text && `\n${text}`) + (body.truncated ? "\n… (truncated: exceeds the capture limit)" : "");
  }

  function showIncident(incident) {
    shown = incident;
    const { request, response } = incident;
    element("title").textContent = `#${incident.id} ${incident.operation ?? request.method}: ${outcomeOf({ status: response.status, code: incident.code })}`;
    const facts = {
      "Request ID": incident.request_id,
      Received: formatTime(incident.received_at),
      Duration: `${(incident.duration_us / 1000).toFixed(1)} ms`,
      Caller: incident.user_id ? `${incident.role} ${incident.user_id}, session ${incident.session_id}` : "unknown",
      "Error location": incident.site || "—",
      "Occurrences (fingerprint)": `${incident.occurrences} (${incident.fingerprint})`,
      Server: `${incident.server_version}, API version ${incident.contract ?? "none"}`,
      State: state(incident),
      "Body SHA-256": request.body.sha256,
      "Trace ID": incident.trace_id ?? "—",
    };
    element("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
      const fact = document.createElement("div");
      fact.append(create("dt", name), create("dd", value));
      return fact;
    }));
    element("request").textContent = message(`${request.method} ${request.target}`, request);
    element("response").textContent = message(`${response.status}`, response);
    element("resolve").textContent = incident.resolved ? "Mark as unresolved" : "Mark as resolved";
    showReplay();
  }

  function showReplay() {
    const report = stored(REPORT_KEY);
    const outcome = report?.outcomes.find(({ request_id: id }) => id === shown.request_id);
    const differences = outcome?.differences ?? [];
    element("differences").hidden = differences.length === 0;
    element("differences").tBodies[0].replaceChildren(...differences.map(({ location, captured, replayed }) => {
      const row = document.createElement("tr");
      row.append(create("td", location, "location"), create("td", captured), create("td", replayed));
      return row;
    }));
    const result = () => {
      if (!outcome) return report ? "The report does not contain this incident." : "Load a replay report to compare the current response with the captured one.";
      if (outcome.not_sent) return outcome.not_sent;
      const label = outcome.reproduced ? "Reproduced." : outcome.fixed ? "Fixed." : "Fails differently.";
      return [`Against ${report.against}: ${outcomeOf(outcome.replayed)}. ${label}`, ...outcome.contract_violations].join(" ");
    };
    element("replay-result").textContent = result();
  }

  function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async function exportAs(target) {
    const { id, request } = shown;
    const response = await call(`${INCIDENTS}/${id}/${target}`, { accept: MEDIA_TYPES[target] });
    const blob = await response.blob();
    download(blob, `incident-${id}.${EXTENSIONS[target]}`);
    const file = target === "postman" ? JSON.parse(await blob.text()).item[0].request.body?.file?.src : null;
    if (!file) return say(`Exported incident #${id} for ${target}.`);
    const bytes = request.body.base64 ? Uint8Array.from(atob(request.body.base64), (c) => c.charCodeAt(0)) : request.body.text;
    download(new Blob([bytes], { type: "application/octet-stream" }), file);
    say(`Exported incident #${id}. Its body is binary: copy ${file} to the working directory of Postman or Newman.`);
  }

  async function resolve() {
    const body = { resolved: !shown.resolved };
    showIncident(await (await call(`${INCIDENTS}/${shown.id}`, { method: "PATCH", body })).json());
    say(`Marked as ${shown.resolved ? "resolved" : "unresolved"}, with all incidents of its group.`);
  }

  async function remove() {
    const { id } = shown;
    if (!confirm(`Delete incident #${id} permanently?`)) return;
    await call(`${INCIDENTS}/${id}`, { method: "DELETE" });
    // Setting the hash would route later and clear the message below.
    history.replaceState(null, "", location.pathname);
    route();
    await routed;
    say(`Incident #${id} deleted.`);
  }

  // ---- routing and events -------------------------------------------------------------------------------------------

  let routed = Promise.resolve();
  function route() {
    const session = stored(STORAGE_KEY);
    const id = location.hash.slice(1);
    element("login").hidden = Boolean(session);
    element("session").hidden = !session;
    element("session-user").textContent = session ? user?.email ?? "" : "";
    element("list").hidden = !session || Boolean(id);
    element("incident").hidden = true;
    if (!session) return;
    const show = async () => {
      user ??= await (await call("/v2/users/me")).json();
      element("session-user").textContent = user.email;
      if (!/^\d+$/.test(id)) return showList();
      showIncident(await (await call(`${INCIDENTS}/${id}`)).json());
      element("incident").hidden = false;
      say("");
    };
    routed = show().catch(sayError);
  }

  const busy = (button, work) => async () => {
    button.disabled = true;
    await work().catch(sayError);
    button.disabled = false;
  };
  const onClick = (button, work) => button.addEventListener("click", busy(button, work));

  element("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    busy(form.querySelector("button"), async () => {
      await logIn(element("login-email").value, element("login-password").value);
      form.reset(); // leave no password in a hidden field
      route();
      element("content").focus();
    })();
  });
  onClick(element("logout"), async () => {
    const session = stored(STORAGE_KEY);
    forget();
    say("Logged out.");
    await fetch("/v2/auth/logout", { method: "POST", headers: { Authorization: `Bearer ${session.access_token}` } });
  });
  element("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    showList().catch(sayError);
  });
  // The fields are cleared only after the event.
  element("filters").addEventListener("reset", () => setTimeout(() => showList().catch(sayError)));
  onClick(element("more"), () => load(next));
  onClick(element("resolve"), resolve);
  onClick(element("delete"), remove);
  document.querySelectorAll("[data-export]").forEach((button) => onClick(button, () => exportAs(button.dataset.export)));
  element("report").addEventListener("change", async (event) => {
    try {
      const report = JSON.parse(await event.target.files[0].text());
      if (!Array.isArray(report.outcomes)) throw new SyntaxError();
      sessionStorage.setItem(REPORT_KEY, JSON.stringify(report));
      say("");
    } catch {
      say("This file is not a replay report.", true);
    }
    showReplay();
  });
  addEventListener("hashchange", route);
  route();
})();
