// Lists audit events.
"use strict";

(() => {
  const { call, contract, create, download, element, filters, link, list, onClick, say, sayError, start, time } = window.BucketListConsole;
  const AUDIT = "/v2/admin/audit";

  const PAGES = { user: (id) => `/console/audit?target_type=user&target_id=${id}`, incident: (id) => `/console/incidents?id=${id}`, api_client: () => "/console/api-clients" };

  function target({ target_type: type, target_id: id }) {
    if (!type) return "–";
    const text = `${type.replaceAll("_", " ")}${id ? ` ${id}` : ""}`;
    return id && PAGES[type] ? link(text, PAGES[type](id)) : text;
  }

  const detail = (values) => Object.entries(values).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");

  const columns = [
    { title: "Time", className: "time", cell: ({ created_at: at }) => time(at) },
    { title: "Action", className: "code", cell: ({ action }) => action },
    { title: "Actor", cell: ({ actor_id: id }) => (id ? link(`user ${id}`, `/console/audit?actor_id=${id}`) : "–") },
    { title: "Resource", cell: target },
    { title: "Details", cell: ({ detail: values }) => create("bdi", { text: detail(values) || "–" }) },
    { title: "Address", className: "code", cell: ({ address }) => address ?? "–" },
    { title: "Request ID", className: "code", cell: ({ request_id: id }) => (id ? link(id, `/console/incidents?request_id=${encodeURIComponent(id)}`) : "–") },
  ];

  /** Days of the fields as the timestamps that the API expects. */
  function query() {
    const all = params();
    for (const name of ["created_after", "created_before"]) {
      if (all.has(name)) all.set(name, `${all.get(name)}T00:00:00Z`);
    }
    return all;
  }

  const { params, clear } = filters(element("filters"), () => events.reload());
  const events = list({
    root: element("rows"), label: "Audit events", columns, emptyTitle: "No events", empty: "Logins, changes of accounts and the actions of administrators are recorded here for one year by default.",
    path: () => `${AUDIT}?${query()}`,
    isFiltered: () => params().size > 0,
    clear,
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
