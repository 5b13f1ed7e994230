// Usage by operation, consumer, version or day, with the most requests first, and the consumers of deprecated operations.
"use strict";

(() => {
  const {
    age, call, chart, consumerCell, consumerKey, count, create, day, daysUntil, download, element, filled, filters, isMeasured, json, list, milliseconds, nameLink, named, number, onClick, operations, say,
    sayError, start,
  } = window.BucketListConsole;
  const USAGE = "/v2/admin/usage";
  /** Number of days in the plot. */
  const MAX_DAYS = 400;
  const DEFAULT_DAYS = 30;
  const DAY_MS = 86_400_000;

  const grouping = () => params().get("group_by") ?? "operation";

  /** An operation of v1 and one of v2 can have the same name. */
  const groups = () => {
    const wanted = grouping().split(",");
    return wanted.includes("operation") ? [...new Set([...wanted, "version"])] : wanted;
  };

  /** Returns the query of the rows: the most requests first, except for days. */
  function query() {
    const all = params();
    all.set("group_by", groups().join(","));
    if (grouping() !== "day") all.set("sort", "-requests");
    return all;
  }

  const filterBy = (changes) => {
    const all = params();
    for (const [name, value] of Object.entries(changes)) all.set(name, value);
    return `?${all}`;
  };

  /** Returns the percentiles of the latency in one cell. */
  function latency(row) {
    if (!isMeasured(row)) return create("span", { text: "–", attributes: { title: "Fewer than two requests" } });
    return ["p50", "p95", "p99"].map((name) => milliseconds(row.latency_ms[name])).join(" / ");
  }

  let total = 0;
  const ALL_COLUMNS = [
    { key: "day", title: "Day", cell: ({ day }) => day },
    { key: "operation", title: "Operation", className: "code", cell: ({ operation, version }) => nameLink(operation, filterBy({ operation, ...(version && { version }), group_by: "consumer" })) },
    { key: "version", title: "Version", cell: ({ version }) => create("span", { text: version, className: "tag" }) },
    { key: "consumer", title: "Consumer", cell: ({ consumer }) => consumerCell(consumer, filterBy({ consumer: consumerKey(consumer), group_by: "operation" })) },
    { title: "Requests", className: "number", cell: ({ requests }) => number(requests) },
    { title: "Share", className: "number", cell: ({ requests }) => (total ? `${((100 * requests) / total).toFixed(1)} %` : "–") },
    { title: "Errors", className: "number", cell: ({ errors, requests }) => (errors ? [number(errors), create("small", { text: `${((100 * errors) / requests).toFixed(1)} %` })] : "0") },
    { title: "p50 / p95 / p99 (ms)", className: "number", cell: latency },
    { title: "Last request", className: "time", cell: ({ last_seen_at: seen }) => age(seen) },
  ];

  /** Reads all rows of a grouping with few rows. */
  async function readAll(groupBy) {
    const all = params();
    all.set("group_by", groupBy);
    const rows = [];
    let next = `${USAGE}?${all}&per_page=100`;
    while (next && rows.length < MAX_DAYS) {
      const page = await json(next);
      rows.push(...page.data);
      next = page.links.next;
    }
    return rows;
  }

  async function showChart() {
    const daily = grouping() === "day" ? (await readAll("day")).reverse() : [];
    element("chart").replaceChildren(...(daily.length ? [chart({
      title: "Requests by day", labels: daily.map(({ day }) => day), kind: "bars",
      series: [{ name: "all", tone: "a", values: daily.map(({ requests }) => requests) }, { name: "errors", tone: "b", values: daily.map(({ errors }) => errors) }],
    })] : []));
  }

  /** The period of the API: by default, the last 30 days. */
  const to = () => params().get("to") ?? day(new Date());
  const from = () => params().get("from") ?? day(new Date(Date.parse(to()) - (DEFAULT_DAYS - 1) * DAY_MS));

  /** Shows the default period in the empty fields. */
  function showPeriod() {
    const { elements } = element("filters");
    for (const [name, value] of [["from", from()], ["to", to()]]) {
      elements[name].dataset.default = value;
      elements[name].value ||= value;
    }
  }

  let rows = null;
  async function load() {
    showPeriod();
    const wanted = groups();
    say("Loading…");
    // The total of all rows, for the shares: one row per version.
    total = (await readAll("version")).reduce((sum, { requests }) => sum + requests, 0);
    rows = list({
      root: element("rows"), label: "Usage", columns: ALL_COLUMNS.filter(({ key }) => !key || wanted.includes(key)),
      emptyTitle: "No requests", empty: "No requests were counted in the last 30 days. Requests are counted within 10 seconds after their response.",
      path: () => `${USAGE}?${query()}&include=total`,
      isFiltered: () => [...params().keys()].some((name) => name !== "group_by"),
      noMatch: () => ({
        title: `No requests${params().has("version") ? ` to ${params().get("version")}` : ""} in this period${params().has("from") || params().has("to") ? "" : ` (last ${DEFAULT_DAYS} days)`}.`,
        text: `Requests from ${from()} to ${to()} that match the filters are counted.`,
      }),
      clear,
      onPage: ({ meta }) => {
        if (meta.total !== null) element("summary").textContent = meta.total ? `${count(total, "request")} in ${count(meta.total, "row")}.` : "";
      },
    });
    await Promise.all([rows.reload(), showChart(), showDeprecations()]);
  }

  const consumerColumns = [
    { title: "Consumer", cell: ({ consumer }) => consumerCell(consumer, `?consumer=${encodeURIComponent(consumerKey(consumer))}&deprecated=true`) },
    { title: "Requests", className: "number", cell: ({ requests }) => number(requests) },
    { title: "Last request", className: "time", cell: ({ last_seen_at: seen }) => age(seen) },
    { title: "Notices", cell: ({ notices, consumer }) => notices.map(({ notice, sent_at: sent, state }) => `${notice.replaceAll("_", " ")} (${state === "sent" ? "" : `${state}, `}${sent.slice(0, 10)})`).join(", ") || (consumer.kind === "anonymous" ? "no contact" : "none yet") },
  ];

  /** Returns the deprecated operations and their consumers that the filters for version, operation and consumer select. */
  function selected(data) {
    const [version, operation, consumer] = ["version", "operation", "consumer"].map((name) => params().get(name));
    const isSelected = (found) => !consumer || found.kind === consumer || consumerKey(found) === consumer;
    const operations = data.filter((it) => (!version || it.version === version) && (!operation || it.operation === operation));
    if (!consumer) return operations;
    return operations.map((it) => {
      const consumers = it.consumers.filter((found) => isSelected(found.consumer));
      return { ...it, consumers, consumers_total: consumers.length };
    });
  }

  async function showDeprecations() {
    const { data } = await json("/v2/admin/deprecations?per_page=100");
    const isFiltered = ["version", "operation", "consumer"].some((name) => params().has(name));
    const called = selected(data).filter(({ consumers_total: total }) => total > 0);
    const blocks = called.map((operation) => {
      const days = daysUntil(operation.sunset);
      const summary = `${operation.operation} (${operation.version}): ${count(operation.consumers_total, "consumer")}; ${days > 0 ? `sunset in ${count(days, "day")}` : "after its sunset"}, on ${operation.sunset}`;
      const more = operation.consumers_total > operation.consumers.length ? [create("p", { text: `The first ${operation.consumers.length} consumers: API clients and accounts, then anonymous ones, by requests.`, className: "note" })] : [];
      const successor = create("p", { className: "note", children: ["Successor: ", create("code", { text: operation.successor })] });
      return create("details", { className: "panel", children: [create("summary", { text: summary }), successor, ...more, filled(`Consumers of ${operation.operation}`, consumerColumns, operation.consumers)] });
    });
    const none = isFiltered ? "No consumer of a deprecated operation matches these filters." : data.length ? `None of the ${number(data.length)} deprecated operations has been called since its deprecation.` : "The API has no deprecated operations.";
    element("deprecations").replaceChildren(...(blocks.length ? blocks : [create("p", { text: none, className: "note" })]));
    if (isFiltered || blocks.length === 1) for (const block of blocks) block.open = true;
  }

  /** Returns the filter of a consumer as people write it: `user:2`, `User 2: demo@example.com`, an email address, or the name of an API client. */
  async function consumerFilter(text) {
    const [, kind, , name] = text.match(/^(api[ _]client|user|anonymous)(\s*[:\s]\s*(.+))?$/i) ?? [];
    const key = kind?.toLowerCase().replace(" ", "_");
    if (kind && !name) return key;
    if (key === "anonymous") return `anonymous:${name}`;
    const id = name?.match(/^([1-9]\d{0,17})(: .*)?$/)?.[1];
    if (id) return `${key}:${id}`;
    const wanted = (name ?? text).toLowerCase();
    if (key !== "api_client") {
      const { data } = await json(`/v2/admin/users?q=${encodeURIComponent(wanted)}&per_page=100`);
      const users = data.filter((user) => [user.email, user.name].some((value) => value.toLowerCase() === wanted));
      if (users.length === 1) return `user:${users[0].id}`;
    }
    if (key !== "user") {
      const { data } = await json("/v2/admin/api-clients?per_page=100");
      const clients = data.filter((client) => client.name.toLowerCase() === wanted);
      if (clients.length === 1) return `api_client:${clients[0].id}`;
    }
    throw new Error(`No single consumer is named “${text}”. Enter an email address, the name of an API client, user:2, api_client:3, or anonymous:curl; user, api_client or anonymous selects all of a kind.`);
  }

  const { params, clear } = filters(element("filters"), load, {
    operation: named("operation", operations), consumer: consumerFilter,
  });
  onClick(element("csv"), async () => {
    const response = await call(`${USAGE}?${query()}`, { accept: "text/csv" });
    download(await response.blob(), "usage.csv");
    say("Downloaded usage.csv.");
  });
  operations().then((ids) => {
    element("operations").replaceChildren(...ids.map((id) => create("option", { attributes: { value: id } })));
  }).catch(sayError);
  start(load);
})();
