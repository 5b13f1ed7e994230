// Lists, shows, exports, resolves and deletes incidents. `?id=` selects an incident; the other parameters are filters.
"use strict";

(() => {
  const {
    call, confirm, contract, copy, create, download, element, filled, filters, json, link, list, number, onClick, say, sayError, start, time,
  } = window.BucketListConsole;
  const REPORT_KEY = "bucketlist-console-report";
  const INCIDENTS = "/v2/admin/incidents";
  const PAGE = "/console/incidents";
  const MEDIA_TYPES = { postman: "application/json", curl: "text/plain", har: "application/json" };
  const EXTENSIONS = { postman: "postman_collection.json", curl: "sh", har: "har" };

  // ---- list ---------------------------------------------------------------------------------------------------------

  const outcomeOf = ({ status, code }) => [status, code].filter(Boolean).join(" ");
  const state = (incident) => (incident.resolved ? `resolved${incident.fixed_in ? ` in ${incident.fixed_in}` : ""}` : "unresolved");
  const columns = [
    { title: "Incident", cell: ({ id }) => link(`#${id}`, `${PAGE}?id=${id}`) },
    { title: "Received", className: "time", cell: ({ received_at: at }) => time(at) },
    { title: "Operation", className: "code", cell: ({ operation, method }) => operation ?? method },
    { title: "Response", cell: (incident) => create("span", { text: outcomeOf(incident), className: incident.status >= 500 ? "response" : "response client" }) },
    { title: "User", cell: ({ user_id: id }) => (id ? link(`user ${id}`, `/console/audit?actor_id=${id}`) : "unknown") },
    { title: "Version", cell: ({ server_version: version }) => version },
    { title: "State", cell: (incident) => create("span", { text: state(incident), className: incident.resolved ? "state" : "state open" }) },
    { title: "Request ID", className: "code", cell: ({ request_id: id }) => id },
  ];

  const operations = async () => Object.values((await contract()).paths).flatMap((path) => Object.values(path)).map(({ operationId: id }) => id).filter(Boolean);
  const codes = async () => (await contract()).components.schemas.ErrorCode.enum;

  /** Returns the known name that equals the text regardless of case. */
  const named = (kind, known) => async (text) => {
    const names = await known();
    const wanted = text.toLowerCase().replace(/[\s-]/g, "_");
    const found = names.find((name) => [text.toLowerCase(), wanted].includes(name.toLowerCase()));
    if (found) return found;
    const similar = names.filter((name) => name.toLowerCase().includes(wanted)).slice(0, 5);
    throw new Error(`No ${kind} is named “${text}”.${similar.length ? ` Similar: ${similar.join(", ")}.` : ""}`);
  };

  function query() {
    const all = params();
    if (all.has("received_after")) all.set("received_after", `${all.get("received_after")}T00:00:00Z`);
    return all;
  }

  const { params } = filters(element("filters"), () => show(), {
    operation: named("operation", operations), code: named("error code", codes), fingerprint: (text) => text.toLowerCase(),
  });
  const incidents = list({
    root: element("rows"), label: "Incidents", columns,
    empty: "No incidents are recorded. The server records requests that fail with a status of 5xx, and requests of an administrator with X-Debug-Capture.",
    path: () => `${INCIDENTS}?${query()}`,
    isFiltered: () => params().size > 0,
  });

  async function fillOptions() {
    for (const [id, names] of [["operations", await operations()], ["codes", await codes()]]) {
      element(id).replaceChildren(...names.map((name) => create("option", { attributes: { value: name } })));
    }
  }

  // ---- incident -----------------------------------------------------------------------------------------------------

  let shown = null;

  /** Returns JSON with indentation; other text as it is. Numbers keep their digits and duplicate keys remain. */
  function pretty(text) {
    try {
      JSON.parse(text);
    } catch {
      return text;
    }
    let depth = 0;
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    const indent = () => `\n${"  ".repeat(depth)}`;
    return tokens.map((token, index) => {
      const isEmpty = /[}\]]/.test(tokens[index + 1] ?? "");
      if (token === "{" || token === "[") {
        depth += 1;
        return isEmpty ? token : token + indent();
      }
      if (token === "}" || token === "]") {
        depth -= 1;
        return /[{[]/.test(tokens[index - 1] ?? "") ? token : indent() + token;
      }
      if (token === ",") return `,${indent()}`;
      return token === ":" ? ": " : token;
    }).join("");
  }

  function message(first, { headers, body }) {
    const lines = [first, ...headers.map(({ name, value }) => `${name}: ${value}`), ""];
    const text = body.text === null ? `(base64)\n${body.base64}` : pretty(body.text);
    return lines.join("\n") + (text && `\n${text}`) + (body.truncated ? "\n… (truncated: exceeds the capture limit)" : "");
  }

  /** Returns the text with its placeholders marked. */
  function marked(text, placeholders) {
    if (placeholders.length === 0) return [text];
    const longestFirst = [...placeholders].sort((a, b) => b.length - a.length);
    const pattern = longestFirst.map((placeholder) => placeholder.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    return text.split(new RegExp(`(${pattern})`)).map((part, index) => (index % 2 ? create("mark", { text: part, className: "placeholder" }) : part));
  }

  function showIncident(incident) {
    shown = incident;
    const { request, response } = incident;
    element("title").textContent = `#${incident.id} ${incident.operation ?? request.method}: ${outcomeOf({ status: response.status, code: incident.code })}`;
    document.title = `Incident #${incident.id} · Console · BucketList API`;
    element("same").href = `${PAGE}?fingerprint=${incident.fingerprint}`;
    const facts = {
      "Request ID": incident.request_id,
      Received: time(incident.received_at),
      Duration: `${(incident.duration_us / 1000).toFixed(1)} ms`,
      Caller: incident.user_id ? `${incident.role} ${incident.user_id}${incident.session_id ? `, session ${incident.session_id}` : ""}` : "unknown",
      "Error location": incident.site || "–",
      "Occurrences (fingerprint)": `${number(incident.occurrences)} (${incident.fingerprint})`,
      Server: `${incident.server_version}, API version ${incident.contract ?? "none"}`,
      State: state(incident),
      "Body SHA-256": request.body.sha256,
      "Trace ID": incident.trace_id ?? "–",
    };
    element("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => create("div", { children: [create("dt", { text: name }), create("dd", { text: value })] })));
    const placeholders = incident.placeholders ?? [];
    element("request").replaceChildren(...marked(message(`${request.method} ${request.target}`, request), placeholders));
    element("response").replaceChildren(...marked(message(`${response.status}`, response), placeholders));
    element("placeholders").hidden = placeholders.length === 0;
    element("resolve").textContent = incident.resolved ? "Mark as unresolved" : "Mark as resolved";
    showReplay();
  }

  function storedReport() {
    try {
      return JSON.parse(sessionStorage.getItem(REPORT_KEY));
    } catch {
      return null;
    }
  }

  function showReplay() {
    const report = storedReport();
    const outcome = report?.outcomes.find(({ request_id: id }) => id === shown.request_id);
    const differences = outcome?.differences ?? [];
    const compared = [
      { title: "Location", className: "code", cell: ({ location }) => location },
      { title: "Captured", cell: ({ captured }) => captured ?? "–" },
      { title: "Now", cell: ({ replayed }) => replayed ?? "–" },
    ];
    element("differences").replaceChildren(...(differences.length ? [filled("Differences", compared, differences)] : []));
    const result = () => {
      if (!outcome) return report ? "The report does not contain this incident." : "Load a replay report to compare the current response with the captured one.";
      if (outcome.not_sent) return outcome.not_sent;
      const label = outcome.reproduced ? "Reproduced." : outcome.fixed ? "Fixed." : "Fails differently.";
      return [`Against ${report.against}: ${outcomeOf(outcome.replayed)}. ${label}`, ...outcome.contract_violations].join(" ");
    };
    element("replay-result").textContent = result();
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
    showIncident(await json(`${INCIDENTS}/${shown.id}`, { method: "PATCH", body }));
    say(`Marked as ${shown.resolved ? "resolved" : "unresolved"}, with all incidents of its group.`);
  }

  async function remove() {
    const { id } = shown;
    if (!(await confirm({ title: `Delete incident #${id}?`, text: "The captured request and response are deleted permanently.", label: "Delete incident" }))) return;
    await call(`${INCIDENTS}/${id}`, { method: "DELETE" });
    history.replaceState(null, "", PAGE);
    await show();
    say(`Incident #${id} deleted.`);
    element("content").focus();
  }

  // ---- address ------------------------------------------------------------------------------------------------------

  /** Shows the incident or the list that the address selects. */
  async function show() {
    const id = new URLSearchParams(location.search).get("id");
    element("list").hidden = id !== null;
    element("incident").hidden = true;
    if (id === null) return incidents.reload();
    say("Loading…");
    try {
      if (!/^[1-9]\d{0,17}$/.test(id)) throw new Error(`“${id}” is not the ID of an incident.`);
      showIncident(await json(`${INCIDENTS}/${id}`));
      element("incident").hidden = false;
      element("title").focus();
      say("");
    } catch (error) {
      // The list stays within reach.
      element("list").hidden = false;
      await incidents.reload();
      sayError(error.status === 404 ? new Error(`Incident #${id} does not exist. It may have been deleted, or its retention period is over.`) : error);
    }
  }

  onClick(element("resolve"), resolve);
  onClick(element("delete"), remove);
  element("copy-id").addEventListener("click", (event) => copy(shown.request_id, event.target));
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
  fillOptions().catch(() => {});
  start(show);
})();
