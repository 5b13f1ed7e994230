// The incidents of the server: a table with filters, and one of them with what can be done about it.
//
// All of it goes through /v2/admin/incidents. The session lives in sessionStorage: it ends with the tab, and is in no other.
"use strict";

(() => {
  const STORAGE_KEY = "bucketlist-console-session";
  const REPORT_KEY = "bucketlist-console-report";
  const INCIDENTS = "/v2/admin/incidents";
  const RENEW_BEFORE_MS = 30_000;
  const TYPES = { postman: "application/json", curl: "text/plain", har: "application/json" };
  const NAMES = { postman: "postman_collection.json", curl: "sh", har: "har" };

  const element = (id) => document.getElementById(id);
  const notice = element("notice");

  function say(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  /** Why something did not work, for the person who asked for it. */
  function complain(error) {
    say(error instanceof TypeError ? "The server cannot be reached." : error.message, true);
  }

  async function inWords(response) {
    let problem = null;
    try {
      problem = await response.json();
    } catch { /* not JSON: the status has to do */ }
    const text = problem?.detail || problem?.title || `The server answered ${response.status}.`;
    const wait = response.headers.get("Retry-After");
    return response.status === 429 && wait ? `${text} Try again in ${wait} s.` : text;
  }

  // ---- the session --------------------------------------------------------------------------------------------------

  const stored = (key) => {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  };

  /** Of the session only its tokens are stored; whose it is, the server is asked. */
  let user = null;
  function adopt(answer) {
    user = answer.user;
    const { access_token, refresh_token, expires_in } = answer;
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
    if (!response.ok) throw new Error(await inWords(response));
    const session = await response.json();
    if (session.user.role !== "admin") {
      await fetch("/v2/auth/logout", { method: "POST", headers: { Authorization: `Bearer ${session.access_token}` } });
      throw new Error(`${session.user.email} is no administrator: incidents are shown to administrators only.`);
    }
    adopt(session);
  }

  function forget() {
    sessionStorage.clear();
    user = null;
    route();
  }

  /** A refresh token works once: whoever comes second waits for whoever came first. */
  let renewing = null;
  function renew(session) {
    renewing ??= (async () => {
      const response = await post("/refresh", { refresh_token: session.refresh_token });
      if (!response.ok) {
        forget();
        throw new Error("Your session has ended. Please log in again.");
      }
      adopt(await response.json());
    })().finally(() => { renewing = null; });
    return renewing;
  }

  async function call(path, { method = "GET", accept = "application/json", body = null } = {}) {
    let session = stored(STORAGE_KEY);
    if (session.expires_at - Date.now() < RENEW_BEFORE_MS) await renew(session);
    const send = () => {
      session = stored(STORAGE_KEY);
      const headers = { Accept: accept, Authorization: `Bearer ${session.access_token}` };
      if (body) headers["Content-Type"] = "application/json";
      // A server may want to be told which state is meant. Any: while the same failure is met, it changes all the time.
      if (method !== "GET") headers["If-Match"] = "*";
      return fetch(path, { method, headers, body: body && JSON.stringify(body) });
    };
    let response = await send();
    if (response.status === 401) {
      await renew(session);
      response = await send();
    }
    if (!response.ok) throw new Error(await inWords(response));
    return response;
  }

  // ---- the table ----------------------------------------------------------------------------------------------------

  /** An element with text; never with markup. */
  function make(tag, text, className = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = className;
    return made;
  }

  const when = (instant) => instant.replace("T", " ").replace(/\.\d+Z$/, " UTC");
  const answer = ({ status, code }) => [status, code].filter(Boolean).join(" ");
  const kind = (status) => (status >= 500 ? "answer" : "answer client");
  const state = (incident) => (incident.resolved ? `fixed${incident.fixed_in ? ` in ${incident.fixed_in}` : ""}` : "open");

  function row(incident) {
    const row = document.createElement("tr");
    const link = make("a", `#${incident.id}`);
    link.href = `#${incident.id}`;
    const cell = (child, className = "") => {
      const cell = make("td", "", className);
      cell.append(child);
      row.append(cell);
    };
    cell(link);
    cell(when(incident.received_at), "when");
    cell(incident.operation ?? incident.method);
    cell(make("span", answer(incident), kind(incident.status)));
    cell(incident.user_id ?? "nobody known");
    cell(incident.server_version);
    cell(make("span", state(incident), incident.resolved ? "state" : "state open"));
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

  // ---- one incident -------------------------------------------------------------------------------------------------

  let shown = null;

  function message(start, { headers, body }) {
    const lines = [start, ...headers.map(({ name, value }) => `${name}: ${value}`), ""];
    const text = body.text ?? `(base64)\n${body.base64}`;
    return lines.join("\n") + (text && `\n${text}`) + (body.truncated ? "\n… (cut off: more was sent than is kept)" : "");
  }

  function showIncident(incident) {
    shown = incident;
    const { request, response } = incident;
    element("title").textContent = `#${incident.id} ${incident.operation ?? request.method}: ${answer({ status: response.status, code: incident.code })}`;
    const facts = {
      "Request id": incident.request_id,
      Received: when(incident.received_at),
      Took: `${(incident.duration_us / 1000).toFixed(1)} ms`,
      "Asked by": incident.user_id ? `${incident.role} ${incident.user_id}, session ${incident.session_id}` : "nobody known",
      "Went wrong in": incident.site || "—",
      "Equal failures": `${incident.occurrences} (${incident.fingerprint})`,
      Server: `${incident.server_version}, contract ${incident.contract ?? "none"}`,
      State: state(incident),
      "SHA-256 of the body": request.body.sha256,
      Trace: incident.trace_id ?? "—",
    };
    element("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
      const fact = document.createElement("div");
      fact.append(make("dt", name), make("dd", value));
      return fact;
    }));
    element("request").textContent = message(`${request.method} ${request.target}`, request);
    element("response").textContent = message(`${response.status}`, response);
    element("resolve").textContent = incident.resolved ? "Open again" : "Mark as fixed";
    showReplay();
  }

  function showReplay() {
    const report = stored(REPORT_KEY);
    const outcome = report?.outcomes.find(({ request_id: id }) => id === shown.request_id);
    const differences = outcome?.differences ?? [];
    element("differences").hidden = differences.length === 0;
    element("differences").tBodies[0].replaceChildren(...differences.map(({ place, captured, now }) => {
      const row = document.createElement("tr");
      row.append(make("td", place, "place"), make("td", captured), make("td", now));
      return row;
    }));
    const said = () => {
      if (!outcome) return report ? "The report does not have this incident." : "Choose a report to see in what the answer differs today.";
      if (outcome.obstacle) return outcome.obstacle;
      const verdict = outcome.reproduced ? "It still fails as it did." : outcome.fixed ? "It is fixed." : "It fails in another way.";
      return [`Against ${report.against}: ${answer(outcome.now)}. ${verdict}`, ...outcome.undocumented].join(" ");
    };
    element("verdict").textContent = said();
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
    const response = await call(`${INCIDENTS}/${id}/${target}`, { accept: TYPES[target] });
    const blob = await response.blob();
    download(blob, `incident-${id}.${NAMES[target]}`);
    const file = target === "postman" ? JSON.parse(await blob.text()).item[0].request.body?.file?.src : null;
    if (!file) return say(`Exported #${id} for ${target}.`);
    const bytes = request.body.base64 ? Uint8Array.from(atob(request.body.base64), (c) => c.charCodeAt(0)) : request.body.text;
    download(new Blob([bytes], { type: "application/octet-stream" }), file);
    say(`Exported #${id} with its body, which is no text: put ${file} into the working directory of Postman or Newman.`);
  }

  async function resolve() {
    const body = { resolved: !shown.resolved };
    showIncident(await (await call(`${INCIDENTS}/${shown.id}`, { method: "PATCH", body })).json());
    say(shown.resolved ? "Marked as fixed, with all that are equal to it." : "Open again.");
  }

  async function remove() {
    const { id } = shown;
    if (!confirm(`Delete incident #${id} for good?`)) return;
    await call(`${INCIDENTS}/${id}`, { method: "DELETE" });
    // Not by setting the hash: that would route later, and the list take away what is said here.
    history.replaceState(null, "", location.pathname);
    route();
    await routed;
    say(`Incident #${id} is deleted.`);
  }

  // ---- what is on the page ------------------------------------------------------------------------------------------

  let routed = Promise.resolve();
  function route() {
    const session = stored(STORAGE_KEY);
    const id = location.hash.slice(1);
    element("login").hidden = Boolean(session);
    element("session").hidden = !session;
    element("session-user").textContent = session ? user?.email ?? "" : "";
    element("list").hidden = !session || Boolean(id);
    element("one").hidden = true;
    if (!session) return;
    const show = async () => {
      user ??= await (await call("/v2/users/me")).json();
      element("session-user").textContent = user.email;
      if (!/^\d+$/.test(id)) return showList();
      showIncident(await (await call(`${INCIDENTS}/${id}`)).json());
      element("one").hidden = false;
      say("");
    };
    routed = show().catch(complain);
  }

  const busy = (button, work) => async () => {
    button.disabled = true;
    await work().catch(complain);
    button.disabled = false;
  };
  const onClick = (button, work) => button.addEventListener("click", busy(button, work));

  element("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    busy(form.querySelector("button"), async () => {
      await logIn(element("login-email").value, element("login-password").value);
      form.reset(); // no password stays behind in a hidden field
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
    showList().catch(complain);
  });
  // The fields are empty only after the event.
  element("filters").addEventListener("reset", () => setTimeout(() => showList().catch(complain)));
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
      say("This file is no report of a replay.", true);
    }
    showReplay();
  });
  addEventListener("hashchange", route);
  route();
})();
