// The lists of incident groups and of single incidents. The address has the filters; `?id=` selects an incident, `?id=latest` the newest one of the
// filters.
"use strict";

(() => {
  const {
    age, breakable, busy, contract, copy, create, element, filters, isSample, json, link, list, named, number, onClick, operations, sampleTag, say, sayError, selection, sparkline, start, time, url, userLink,
  } = window.BucketListConsole;
  const INCIDENTS = "/v2/admin/incidents";
  const GROUPS = "/v2/admin/incident-groups";
  const PAGE = url("/console/incidents");
  /** Filters that only single incidents have. */
  const OF_INCIDENTS = ["request_id", "received_after", "fingerprint"];
  const MAX_IDS = 100;
  /** The value of `INCIDENTS` of this server. */
  const CAPTURES = document.body.dataset.captures || "none";

  const outcomeOf = ({ status, code }) => [status, code].filter(Boolean).join(" ");
  const codes = async () => (await contract()).components.schemas.ErrorCode.enum;
  /** An administrator has requested the capture of a successful request: it is not a failure. */
  const isFailure = ({ status }) => status >= 400;
  const response = (incident) => create("span", { text: outcomeOf(incident), className: incident.status >= 500 ? "response" : "response client" });

  // ---- filters ------------------------------------------------------------------------------------------------------

  /** The last opened incident, for the focus after the return to the list. */
  const OPENED_KEY = "bucketlist-console-opened";
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  let returns = navigation?.type === "back_forward";
  addEventListener("popstate", () => { returns = true; });

  /**
   * Returns the request ID in a text, such as `"request_id": "019b…"`. Those that this server has generated are UUIDs in lower case; others are as
   * the client has sent them.
   */
  function requestId(text) {
    const found = text.match(/(?<![0-9a-f-])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])/gi) ?? [];
    return found.length === 1 ? found[0].toLowerCase() : text;
  }

  function knownView(text) {
    const name = text.toLowerCase();
    if (!["groups", "incidents"].includes(name)) throw new Error(`“${text}” is not a view: groups are shown.`);
    return name;
  }

  const { params, apply, clear, values: entered } = filters(element("filters"), () => show(), {
    operation: named("operation", operations), code: named("error code", codes), fingerprint: (text) => text.toLowerCase(),
    request_id: requestId, view: knownView,
  }, ["id"]);

  /** Returns the view of the address: some filters apply to single incidents only. */
  const view = () => (params().get("view") === "incidents" || OF_INCIDENTS.some((name) => params().has(name)) ? "incidents" : "groups");

  function query(names) {
    const all = new URLSearchParams([...params()].filter(([name]) => names.includes(name)));
    if (all.has("received_after")) all.set("received_after", `${all.get("received_after")}T00:00:00Z`);
    return all;
  }
  const SHARED = ["resolved", "operation", "code", "status"];
  const incidentQuery = () => query([...SHARED, ...OF_INCIDENTS]);

  function groupQuery() {
    const all = query([...SHARED, "sort"]);
    if (!all.has("sort")) all.set("sort", "-last_seen_at");
    return all;
  }

  const isFiltered = () => [...params().keys()].some((name) => name !== "view" && name !== "sort");

  /** Applies a search by the kind of its text: an ID of an incident, a status, an error code, an operation, a fingerprint or a request ID. */
  async function find(text) {
    if (/^#\d+$/.test(text)) return open(new URLSearchParams([["id", text.slice(1)]]));
    if (/^[1-5]\d\d$/.test(text)) return apply(new URLSearchParams([["status", text]]));
    if (/^[0-9a-f]{24}$/i.test(text)) return apply(new URLSearchParams([["fingerprint", text.toLowerCase()]]));
    const same = (name) => name.toLowerCase() === text.toLowerCase().replace(/[\s-]/g, "_") || name.toLowerCase() === text.toLowerCase();
    const code = (await codes()).find(same);
    if (code) return apply(new URLSearchParams([["code", code]]));
    const operation = (await operations()).find(same);
    if (operation) return apply(new URLSearchParams([["operation", operation]]));
    const request = requestId(text);
    if (!/^[A-Za-z0-9._-]+$/.test(request)) throw new Error(`“${text}” is not a request ID, an error code, an operation, a status or the #ID of an incident.`);
    return apply(new URLSearchParams([["request_id", request]]));
  }

  element("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    const text = form.elements.q.value.trim();
    if (text) busy(form.querySelector("button"), () => find(text));
  });

  // ---- groups -------------------------------------------------------------------------------------------------------

  const { column: selectColumn, clear: clearSelection, selected, update: updateSelection } = selection(
    ({ operation, status, code }) => `${operation ?? "unknown operation"} ${outcomeOf({ status, code })}`,
    (values) => {
      element("bulk").hidden = values.length === 0;
      element("bulk-count").textContent = `${number(values.length)} selected`;
    },
  );

  const STATE_CLASSES = { unresolved: "state open", regressed: "state warn", resolved: "state good", captured: "state" };
  const groupState = ({ state, fixed_in: version }) => [
    create("span", { text: state, className: STATE_CLASSES[state] ?? "state" }), ...(state === "resolved" && version ? [create("small", { text: ` in ${version}` })] : []),
  ];

  function groupTitle(group) {
    const name = `${group.operation ?? "No operation"}: ${outcomeOf(group)}`;
    const title = group.incidents > 0 ? link(name, `${PAGE}?fingerprint=${group.fingerprint}&id=latest`) : create("span", { text: name });
    title.className = "group-title";
    const detail = group.incidents > 0 ? group.site : "only counted: no incident is stored";
    return [title, ...sampleTag(isSample.group(group)), ...(detail ? [create("small", { children: [create("bdi", { text: detail })] })] : [])];
  }

  const groups = list({
    root: element("groups"), label: "Groups of incidents",
    columns: [
      selectColumn,
      { title: "Failure", className: "wide", cell: groupTitle },
      { title: "14 days", cell: ({ activity }) => sparkline(activity) },
      { title: "Count", className: "number", cell: ({ occurrences }) => number(occurrences) },
      { title: "Users", className: "number", cell: ({ users }) => number(users) },
      { title: "First seen", className: "time", cell: ({ first_seen_at: at }) => age(at) },
      { title: "Last seen", className: "time", cell: ({ last_seen_at: at }) => age(at) },
      { title: "State", cell: groupState },
    ],
    emptyTitle: "No failures",
    empty: `The server groups responses with a status of ${CAPTURES}, and requests of an administrator with X-Debug-Capture: 1. They appear here within a second.`,
    path: () => `${GROUPS}?${groupQuery()}`,
    isFiltered, clear, onPage: () => updateSelection(),
  });

  element("bulk").addEventListener("submit", (event) => {
    event.preventDefault();
    const resolved = event.submitter.value === "true";
    busy(event.submitter, async () => {
      const ids = selected().map(({ id }) => id);
      const version = event.target.elements.fixed_in.value.trim();
      let changed = 0;
      for (let from = 0; from < ids.length; from += MAX_IDS) {
        say(`Changing ${number(from)} of ${number(ids.length)} groups…`);
        const body = { ids: ids.slice(from, from + MAX_IDS), resolved, ...(resolved && version && { fixed_in: version }) };
        changed += (await json(`${GROUPS}/resolve`, { method: "POST", body })).data.length;
      }
      event.target.reset();
      clearSelection();
      await groups.reload();
      say(`Marked ${number(changed)} ${changed === 1 ? "group" : "groups"} as ${resolved ? "resolved. It becomes unresolved if the failure occurs again." : "unresolved."}`);
      element("content").focus();
    });
  });
  onClick(element("bulk-clear"), () => clearSelection());

  // ---- single incidents ---------------------------------------------------------------------------------------------

  const href = ({ id }) => {
    return `${PAGE}?${new URLSearchParams([["id", id], ...params()])}`;
  };
  const state = (incident) => (!isFailure(incident) && !incident.resolved ? "captured" : incident.resolved ? `resolved${incident.fixed_in ? ` in ${incident.fixed_in}` : ""}` : "unresolved");

  const stateClass = (incident) => (incident.resolved ? "state good" : isFailure(incident) ? "state open" : "state");

  const incidents = list({
    root: element("rows"), label: "Incidents",
    columns: [
      { title: "Incident", className: "name", cell: (incident) => link(`#${incident.id}`, href(incident)) },
      { title: "Received", className: "time", cell: ({ received_at: at }) => time(at) },
      { title: "Operation", className: "code", cell: (incident) => [breakable(incident.operation ?? incident.method), ...sampleTag(isSample.incident(incident))] },
      { title: "Response", cell: response },
      { title: "User", cell: ({ user_id: id }) => (id ? userLink(id) : "unknown"), className: "name" },
      { title: "Version", cell: ({ server_version: version }) => version },
      { title: "State", cell: (incident) => create("span", { text: state(incident), className: stateClass(incident) }) },
      { title: "Request ID", className: "code", cell: ({ request_id: id }) => id },
    ],
    emptyTitle: "No incidents",
    empty: `The server captures responses with a status of ${CAPTURES}, and requests of an administrator with X-Debug-Capture: 1.`,
    noMatch: () => (params().has("request_id") ? {
      title: "No incident has this request ID.",
      text: `This server captures: ${CAPTURES}. The log of the server has every request: search it for this ID. To capture such requests in the future, add their status to INCIDENTS (for example 4xx).`,
    } : null),
    path: () => `${INCIDENTS}?${incidentQuery()}`,
    isFiltered, clear,
  });

  element("copy-capture").addEventListener("click", (event) => copy(element("capture-command").textContent, event.target));

  // ---- address ------------------------------------------------------------------------------------------------------

  function open(values) {
    history.pushState(null, "", `?${values}`);
    return show();
  }

  /** Returns the ID in the address. `latest` is the newest incident of the filters. */
  async function incidentId() {
    const id = new URLSearchParams(location.search).get("id");
    if (id !== "latest") return id;
    const { data } = await json(`${INCIDENTS}?${incidentQuery()}&per_page=1`);
    if (data.length === 0) throw new Error("This group has no stored incident any more: its retention period is over, or it was deleted.");
    const all = new URLSearchParams(location.search);
    all.set("id", String(data[0].id));
    history.replaceState(null, "", `?${all}`);
    return String(data[0].id);
  }

  /** Applies the entered filters to the other view. */
  for (const name of ["groups", "incidents"]) {
    element(`view-${name}`).addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      entered().then((all) => {
        const shared = new URLSearchParams([...all].filter(([key]) => SHARED.includes(key)));
        if (name === "incidents") shared.set("view", name);
        return apply(shared);
      }).catch(sayError);
    });
  }

  /** Focuses the row from which the incident was opened, or the content of the page. */
  function focusOpened() {
    const { id, fingerprint } = JSON.parse(sessionStorage.getItem(OPENED_KEY) ?? "{}");
    const links = [.../** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("#groups a, #rows a"))].filter((row) => row.checkVisibility());
    const opens = (name, value) => links.find((row) => value && new URL(row.href).searchParams.get(name) === String(value));
    (opens("id", id) ?? opens("fingerprint", fingerprint) ?? element("content")).focus();
  }

  async function showList() {
    const current = view();
    element("groups").hidden = current !== "groups";
    element("rows").hidden = current !== "incidents";
    for (const label of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#filters [data-view]"))) label.hidden = label.dataset.view !== current;
    for (const name of ["groups", "incidents"]) {
      const tab = element(`view-${name}`);
      const all = query(SHARED);
      if (name === "incidents") all.set("view", "incidents");
      tab.href = `${PAGE}${all.size ? `?${all}` : ""}`;
      if (name === current) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    clearSelection();
    await (current === "groups" ? groups : incidents).reload();
  }

  /** Shows the incident or the list that the address selects. */
  async function show() {
    const hasId = new URLSearchParams(location.search).has("id");
    element("list").hidden = hasId;
    element("incident").hidden = true;
    if (!hasId) {
      document.title = "Incidents · Console · BucketList API";
      await showList();
      if (returns) focusOpened();
      returns = false;
      return;
    }
    say("Loading…");
    returns = false;
    let id;
    try {
      id = await incidentId();
      if (!/^[1-9]\d{0,17}$/.test(id)) throw new Error(`“${id}” is not the ID of an incident.`);
      await window.BucketListConsole.showIncident(id, incidentQuery());
      say("");
    } catch (error) {
      // The list stays within reach.
      element("list").hidden = false;
      await showList();
      throw error.status === 404 ? new Error(`Incident #${id} does not exist. It may have been deleted, or its retention period is over.`) : error;
    }
  }

  async function fillOptions() {
    const [allOperations, allCodes] = [await operations(), await codes()];
    for (const [id, names] of [["operations", allOperations], ["codes", allCodes], ["names", [...allCodes, ...allOperations]]]) {
      element(id).replaceChildren(...names.map((name) => create("option", { attributes: { value: name } })));
    }
  }

  Object.assign(window.BucketListConsole, { incidents: { isFailure, open, outcomeOf, show, state, stateClass } });
  fillOptions().catch(() => {});
  window.BucketListConsole.startIncidents = () => start(show);
})();
