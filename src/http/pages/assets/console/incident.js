// One incident: its request and response, replay on a configured server, exports, state, and the incidents before and after it.
"use strict";

(() => {
  const {
    call, confirm, copy, count, create, download, element, filled, isSample, json, link, number, onClick, say, sayError, showMessage, startIncidents, time, url, userLink,
    incidents: { isFailure, open, outcomeOf, show, state, stateClass },
  } = window.BucketListConsole;
  const INCIDENTS = "/v2/admin/incidents";
  const PAGE = url("/console/incidents");
  const REPORT_KEY = "bucketlist-console-report";
  const TARGET_KEY = "bucketlist-console-target";
  const MEDIA_TYPES = { postman: "application/json", curl: "text/plain", har: "application/json" };
  const EXTENSIONS = { postman: "postman_collection.json", curl: "sh", har: "har" };
  /** Number of incidents in which the neighbors are searched. */
  const MAX_NEIGHBORS = 1000;

  let shown = null;

  // ---- facts --------------------------------------------------------------------------------------------------------

  function caller(incident) {
    if (!incident.user_id) return incident.role ? "a deleted account" : "not authenticated";
    const client = incident.api_client_id ? `, API client ${incident.api_client_id} (${incident.scopes.join(", ")})` : "";
    const session = incident.session_id ? `, session ${incident.session_id}` : "";
    return [userLink(incident.user_id, `${incident.role} ${incident.user_id}`), `${session}${client}`];
  }

  function showFacts(incident) {
    const facts = {
      "Request ID": incident.request_id,
      Received: time(incident.received_at),
      Duration: `${(incident.duration_us / 1000).toFixed(1)} ms`,
      Caller: caller(incident),
      Occurrences: `${number(incident.occurrences)} with this fingerprint`,
      Fingerprint: incident.fingerprint,
      Server: `${incident.server_version}, API version ${incident.contract ?? "none"}`,
      "Trace ID": incident.trace_id ?? "–",
      "Body SHA-256": incident.request.body.sha256,
    };
    element("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => create("div", {
      children: [create("dt", { text: name }), create("dd", { children: Array.isArray(value) ? value : [value] })],
    })));
  }

  function showIncident(incident) {
    shown = incident;
    const { request, response } = incident;
    element("title").textContent = `#${incident.id} ${incident.operation ?? request.method}: ${outcomeOf({ status: response.status, code: incident.code })}`;
    document.title = `Incident #${incident.id} · Console · BucketList API`;
    const summary = { ...incident, status: response.status };
    element("state").textContent = state(summary);
    element("state").className = stateClass(summary);
    element("sample").hidden = !isSample.incident(incident);
    element("site").textContent = incident.site;
    element("same").href = `${PAGE}?fingerprint=${incident.fingerprint}`;
    element("same").textContent = `Incidents with this fingerprint (${count(incident.occurrences, "occurrence")})`;
    element("code-page").hidden = !incident.code;
    element("code-page").href = url(`/problems/${(incident.code ?? "").toLowerCase().replaceAll("_", "-")}`);
    element("audit-page").href = url(`/console/audit?target_type=incident&target_id=${incident.id}`);
    showFacts(incident);
    const placeholders = incident.placeholders ?? [];
    showMessage(element("request"), `${request.method} ${request.target}`, request, placeholders);
    showMessage(element("response"), `${response.status}`, response, placeholders);
    element("placeholders").hidden = placeholders.length === 0;
    element("resolve").hidden = !isFailure(summary) && !incident.resolved;
    element("resolve").textContent = incident.resolved ? "Mark as unresolved" : "Mark as resolved";
  }

  // ---- neighbors ---------------------------------------------------------------------------------------------------

  /** The incidents of the filters, newest first, as far as they have been read. */
  let neighbors = { key: null, ids: [], next: null };

  async function showNeighbors(query) {
    const key = query.toString();
    const id = shown.id;
    if (neighbors.key !== key || !neighbors.ids.includes(id)) neighbors = { key, ids: [], next: `${INCIDENTS}?${query}&per_page=100` };
    const isKnown = () => neighbors.ids.includes(id) && (neighbors.ids.at(-1) !== id || !neighbors.next);
    while (!isKnown() && neighbors.next && neighbors.ids.length < MAX_NEIGHBORS) {
      const page = await json(neighbors.next);
      neighbors.ids.push(...page.data.map((incident) => incident.id));
      neighbors.next = page.links.next;
    }
    if (shown.id !== id) return;
    const index = neighbors.ids.indexOf(id);
    const [newer, older] = [neighbors.ids[index - 1], index < 0 ? undefined : neighbors.ids[index + 1]];
    for (const [button, neighbor] of [["newer", newer], ["older", older]]) {
      element(button).disabled = neighbor === undefined;
      element(button).dataset.id = neighbor ?? "";
    }
    const count = `${number(neighbors.ids.length)}${neighbors.next ? "+" : ""}`;
    const unknown = neighbors.next ? `older than the newest ${number(neighbors.ids.length)}` : "";
    element("position").textContent = index < 0 ? unknown : `${number(index + 1)} of ${count}${key ? " with these filters" : ""}`;
  }

  function move(event) {
    const all = new URLSearchParams(location.search);
    all.set("id", event.currentTarget.dataset.id);
    const button = event.currentTarget;
    open(all).then(() => {
      // The same button can be pressed repeatedly.
      if (!button.disabled) button.focus();
    }).catch(sayError);
  }
  for (const id of ["newer", "older"]) element(id).addEventListener("click", move);

  // ---- replay -------------------------------------------------------------------------------------------------------

  const RESULTS = {
    reproduced: ["Reproduced", "state open", "The request still fails in the same way."],
    fixed: ["Fixed", "state good", "The failure does not occur. If this server runs the version you will release, mark the incident as resolved."],
    different: ["Different", "state warn", "The request fails in another way, its response violates the OpenAPI document, or placeholders can be the cause of the response."],
    not_sent: ["Not sent", "state", "The request was not sent."],
  };

  const EXAMPLE_TARGETS = "REPLAY_TARGETS=staging=https://staging.example.com";
  let targets = null;
  async function loadTargets() {
    targets ??= (await json("/v2/admin/replay-targets?per_page=100")).data;
    element("replay").disabled = false;
    if (targets.length === 0) {
      element("replay-result").replaceChildren("No server is configured for replays. Ask the operator to set ", create("code", { text: EXAMPLE_TARGETS }), ", or replay it on the command line.");
    }
  }

  /** Whether a URL is that of this server. The default target of a development server is at localhost. */
  function isThisServer(target) {
    const { hostname, port } = new URL(target);
    const isLocal = (name) => ["localhost", "127.0.0.1", "[::1]"].includes(name);
    return port === location.port && (hostname === location.hostname || (isLocal(hostname) && isLocal(location.hostname)));
  }

  function targetField() {
    const options = targets.map(({ name, url }) => create("option", { text: `${name} (${url}${isThisServer(url) ? ", this server" : ""})`, attributes: { value: name } }));
    const select = create("select", { attributes: { name: "target" }, children: options });
    const last = localStorage.getItem(TARGET_KEY);
    if (targets.some(({ name }) => name === last)) select.value = last;
    return create("label", { children: ["Server ", select] });
  }

  function showReplay({ against, result, captured, replayed, differences, violations, reason, requestId = null, body = null }) {
    const [label, className, text] = RESULTS[result];
    const outcome = [create("span", { text: label, className }), " "];
    if (replayed) outcome.push(`Captured ${outcomeOf(captured)}; now ${outcomeOf(replayed)} on ${against}. `);
    outcome.push(reason ? `${reason.at(0).toUpperCase()}${reason.slice(1)}${/[.!?]$/.test(reason) ? "" : "."}` : text);
    element("replay-result").replaceChildren(create("p", { children: outcome }));
    const columns = [
      { title: "Location", className: "code", cell: ({ location }) => location },
      { title: "Captured", className: "removed", cell: (difference) => create("bdi", { text: difference.captured ?? "–" }) },
      { title: "Now", className: "added", cell: (difference) => create("bdi", { text: difference.replayed ?? "–" }) },
    ];
    const violationColumns = [{ title: "Violations of the OpenAPI document", cell: (violation) => create("bdi", { text: violation }) }];
    element("differences").replaceChildren(
      ...(differences.length ? [filled("Differences", columns, differences)] : []),
      ...(violations.length ? [filled("Violations", violationColumns, violations)] : []),
      ...(body ? [replayedResponse(replayed, requestId, body)] : []),
    );
  }

  function replayedResponse({ status }, requestId, body) {
    const text = create("pre", { attributes: { tabindex: "0", role: "region", "aria-label": "Response of the replay" } });
    showMessage(text, String(status), { headers: requestId ? [{ name: "x-request-id", value: requestId }] : [], body }, []);
    return create("details", { className: "panel", children: [create("summary", { text: "Response of the replay" }), text] });
  }

  async function replay() {
    const { id } = shown;
    await loadTargets();
    if (targets.length === 0) return say("No server is configured for replays.", true);
    const sender = { admin: "The request was sent by an administrator, and is sent with the administrator account of the target.", user: "The request is sent with a temporary account." };
    const own = targets.some(({ url }) => isThisServer(url)) ? " A replay on this server uses its data." : "";
    const text = `${sender[shown.role] ?? "The request is sent without an account."} Resources that the replay creates are deleted afterwards.${own} The audit log records the replay. The operator configures the servers, for example with ${EXAMPLE_TARGETS}.`;
    const values = await confirm({ title: `Replay incident #${id}?`, text, label: "Replay now", fields: [targetField()], isDangerous: false });
    if (!values) return undefined;
    localStorage.setItem(TARGET_KEY, values.target);
    element("replay-result").textContent = `Replaying on ${values.target}. This takes up to 25 seconds.`;
    element("differences").replaceChildren();
    try {
      const outcome = await json(`${INCIDENTS}/${id}/replay`, { method: "POST", body: { target: values.target } });
      if (shown.id !== id) return undefined;
      showReplay({ ...outcome, against: outcome.target.name, violations: outcome.contract_violations, requestId: outcome.replayed_request_id, body: outcome.replayed_body });
    } catch (error) {
      element("replay-result").textContent = "The replay failed.";
      throw error;
    }
    return undefined;
  }

  // ---- reports of the command line ----------------------------------------------------------------------------------

  function storedReport() {
    try {
      return JSON.parse(sessionStorage.getItem(REPORT_KEY));
    } catch {
      return null;
    }
  }

  function showReport() {
    const report = storedReport();
    element("differences").replaceChildren();
    element("replay-result").textContent = "Send the request again to see whether it still fails.";
    const outcome = report?.outcomes.find(({ request_id: id }) => id === shown.request_id);
    if (!outcome) {
      if (report) element("replay-result").textContent = "The loaded report does not contain this incident.";
      return;
    }
    const result = outcome.not_sent ? "not_sent" : outcome.reproduced ? "reproduced" : outcome.fixed ? "fixed" : "different";
    showReplay({
      against: report.against, result, captured: outcome.captured ?? { status: shown.response.status, code: shown.code }, replayed: outcome.replayed,
      differences: outcome.differences ?? [], violations: outcome.contract_violations ?? [], reason: outcome.not_sent ?? null,
    });
  }

  // ---- actions ------------------------------------------------------------------------------------------------------

  /** @param {"postman" | "curl" | "har"} target */
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

  async function copyCurl() {
    const response = await call(`${INCIDENTS}/${shown.id}/curl`, { accept: MEDIA_TYPES.curl });
    await copy(await response.text(), element("copy-curl"));
    say(`The command reads the URL of the server from BASE_URL and the credential from ${shown.api_client_id ? "API_KEY" : "TOKEN"}.`);
  }

  async function resolve() {
    const body = { resolved: !shown.resolved };
    showIncident(await json(`${INCIDENTS}/${shown.id}`, { method: "PATCH", body }));
    say(`Marked as ${shown.resolved ? "resolved" : "unresolved"}, with all incidents of its group.`);
  }

  async function remove() {
    const { id } = shown;
    if (!(await confirm({ title: `Delete incident #${id}?`, text: "The captured request and response are deleted permanently.", label: "Delete incident" }))) return;
    await call(`${INCIDENTS}/${id}`, { method: "DELETE" });
    neighbors = { key: null, ids: [], next: null };
    const all = new URLSearchParams(location.search);
    all.delete("id");
    history.replaceState(null, "", all.size ? `?${all}` : PAGE);
    await show();
    say(`Incident #${id} deleted.`);
    element("content").focus();
  }

  onClick(element("replay"), replay);
  onClick(element("resolve"), resolve);
  onClick(element("delete"), remove);
  onClick(element("copy-curl"), copyCurl);
  element("copy-id").addEventListener("click", (event) => copy(shown.request_id, event.target));
  /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-export]")).forEach((button) => {
    onClick(button, () => exportAs(/** @type {"postman" | "curl" | "har"} */ (button.dataset.export)));
  });
  element("report").addEventListener("change", async (event) => {
    try {
      const report = JSON.parse(await event.target.files[0].text());
      if (!Array.isArray(report.outcomes)) throw new SyntaxError();
      sessionStorage.setItem(REPORT_KEY, JSON.stringify(report));
      say("");
    } catch {
      say("This file is not a replay report.", true);
    }
    showReport();
  });

  element("back").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", element("back").href);
    dispatchEvent(new PopStateEvent("popstate"));
  });

  /** Shows the incident with this ID. `query` has the filters of the list that it belongs to. */
  window.BucketListConsole.showIncident = async (id, query) => {
    showIncident(await json(`${INCIDENTS}/${id}`));
    sessionStorage.setItem("bucketlist-console-opened", JSON.stringify({ id, fingerprint: shown.fingerprint }));
    const back = new URLSearchParams(location.search);
    back.delete("id");
    element("back").href = `${PAGE}${back.size ? `?${back}` : ""}`;
    element("back").textContent = query.size ? "Back to the list" : "All incidents";
    element("incident").hidden = false;
    element("newer").disabled = true;
    element("older").disabled = true;
    element("position").textContent = "";
    showReport();
    element("title").focus();
    await Promise.all([showNeighbors(query), loadTargets()]);
  };
  startIncidents();
})();
