// Lists audit events.
"use strict";

(() => {
  const { accountId, breakable, call, contract, create, download, element, filters, link, json, list, onClick, say, sayError, start, time, userLink } = window.BucketListConsole;
  const AUDIT = "/v2/admin/audit";
  const MAX_REQUEST_MS = 60_000;

  const PAGES = { user: (id) => `/console/users?q=user:${id}`, incident: (id) => `/console/incidents?id=${id}`, api_client: () => "/console/api-clients" };

  function target({ target_type: type, target_id: id }) {
    if (!type) return "–";
    const text = `${type.replaceAll("_", " ")}${id ? ` ${id}` : ""}`;
    return id && PAGES[type] ? link(text, PAGES[type](id)) : text;
  }

  const detail = (values) => Object.entries(values).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");

  const columns = [
    { title: "Time", className: "time", cell: ({ created_at: at }) => time(at) },
    { title: "Action", className: "code", cell: ({ action }) => breakable(action) },
    { title: "Actor", className: "name", cell: ({ actor_id: id }) => (id ? userLink(id) : "–") },
    { title: "Resource", className: "name", cell: target },
    { title: "Details", cell: ({ detail: values }) => create("bdi", { text: detail(values) || "–" }) },
    { title: "Address", className: "code", cell: ({ address }) => address ?? "–" },
    { title: "Request ID", className: "code", cell: ({ request_id: id }) => (id ? create("span", { text: id, attributes: { "data-request-id": id } }) : "–") },
  ];

  /** Days of the fields as the timestamps that the API expects. */
  function query() {
    const all = params();
    for (const name of ["created_after", "created_before"]) {
      if (all.has(name)) all.set(name, `${all.get(name)}T00:00:00Z`);
    }
    return all;
  }

  const INCIDENTS = "/v2/admin/incidents";
  /** Number of pages of incidents in which the requests of a page of events are searched. */
  const MAX_PAGES = 5;

  /** Links the request IDs that have an incident. Those of successful requests have none. */
  async function linkIncidents(events) {
    const oldest = events.map(({ created_at: at }) => Date.parse(at)).sort((a, b) => a - b)[0];
    if (!oldest) return;
    const captured = new Map();
    // A request is received before its events are recorded.
    let next = `${INCIDENTS}?per_page=100&received_after=${new Date(oldest - MAX_REQUEST_MS).toISOString()}`;
    for (let pages = 0; next && pages < MAX_PAGES; pages += 1) {
      const page = await json(next);
      for (const { id, request_id: request } of page.data) captured.set(request, id);
      next = page.links.next;
    }
    for (const cell of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#rows [data-request-id]"))) {
      const id = captured.get(cell.dataset.requestId);
      if (id !== undefined) cell.replaceWith(link(cell.dataset.requestId, `/console/incidents?id=${id}`));
    }
  }

  const { params, clear } = filters(element("filters"), () => events.reload(), { actor_id: accountId });
  const events = list({
    root: element("rows"), label: "Audit events", columns, emptyTitle: "No events", empty: "Logins, changes of accounts and the actions of administrators are recorded here for one year by default.",
    path: () => `${AUDIT}?${query()}`,
    isFiltered: () => params().size > 0,
    clear,
    onPage: ({ data }) => { linkIncidents(data).catch(sayError); },
  });
  onClick(element("csv"), async () => {
    download(await (await call(`${AUDIT}?${query()}`, { accept: "text/csv" })).blob(), "audit.csv");
    say("Downloaded audit.csv. It has no details; request NDJSON for them.");
  });

  async function fillOptions() {
    const { schemas } = (await contract()).components;
    const form = element("filters");
    for (const [name, values] of [["action", schemas.AuditAction.enum], ["target_type", schemas.AuditTarget.enum]]) {
      form.elements[name].append(...values.map((value) => create("option", { text: value })));
      form.elements[name].value = params().get(name) ?? "";
    }
  }
  fillOptions().catch(sayError);
  start(events.reload);
})();
