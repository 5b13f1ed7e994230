// Usage by operation, consumer, version or day, with the most requests first, and the callers of deprecated operations.
"use strict";

(() => {
  const {
    call, chart, consumerKey, consumerName, contract, create, daysUntil, download, element, filled, filters, json, link, number, onClick, say, sayError, start, time,
  } = window.BucketListConsole;
  const SHOWN = 20;
  const MAX_ROWS = 10_000;

  let rows = [];
  let shown = SHOWN;

  function query() {
    const all = params();
    const grouping = all.get("group_by") ?? "operation";
    all.set("group_by", grouping);
    return all;
  }

  /**
   * Reads all rows as a stream of JSON lines: the API sorts them by name, this page by requests. Stops at a maximum, so that the page stays quick.
   */
  async function read(path) {
    const response = await call(path, { accept: "application/x-ndjson" });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const found = [];
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = done ? "" : lines.pop();
      found.push(...lines.filter(Boolean).map((line) => JSON.parse(line)));
      if (done) return { found, isComplete: true };
      if (found.length >= MAX_ROWS) {
        await reader.cancel();
        return { found: found.slice(0, MAX_ROWS), isComplete: false };
      }
    }
  }

  const filterBy = (changes) => {
    const all = params();
    for (const [name, value] of Object.entries(changes)) all.set(name, value);
    return `?${all}`;
  };

  function columns(grouping, total) {
    const all = [
      { key: "day", title: "Day", cell: ({ day }) => day },
      { key: "operation", title: "Operation", className: "code", cell: ({ operation }) => link(operation, filterBy({ operation, group_by: "consumer" })) },
      { key: "version", title: "Version", cell: ({ version }) => version },
      { key: "consumer", title: "Consumer", cell: ({ consumer }) => link(consumerName(consumer), filterBy({ consumer: consumerKey(consumer), group_by: "operation" })) },
    ];
    return [
      ...all.filter(({ key }) => grouping.split(",").includes(key)),
      { title: "Requests", className: "number", cell: ({ requests }) => number(requests) },
      { title: "Share", className: "number", cell: ({ requests }) => `${((100 * requests) / total).toFixed(1)} %` },
      { title: "Errors", className: "number", cell: ({ errors, requests }) => (errors ? `${number(errors)} (${((100 * errors) / requests).toFixed(1)} %)` : "0") },
      { title: "p50", className: "number", cell: ({ latency_ms: { p50 } }) => `${p50.toFixed(1)} ms` },
      { title: "p95", className: "number", cell: ({ latency_ms: { p95 } }) => `${p95.toFixed(1)} ms` },
      { title: "p99", className: "number", cell: ({ latency_ms: { p99 } }) => `${p99.toFixed(1)} ms` },
      { title: "Last request", className: "time", cell: ({ last_seen_at: seen }) => time(seen) },
    ];
  }

  function showRows() {
    const grouping = query().get("group_by");
    const total = rows.reduce((sum, { requests }) => sum + requests, 0);
    element("rows").replaceChildren(rows.length ? filled("Usage", columns(grouping, total), rows.slice(0, shown)) : create("p", { text: emptyText(), className: "note" }));
    element("more").hidden = rows.length <= shown;
  }

  const emptyText = () => (params().size ? "No requests match these filters."
    : "No requests were counted in the last 30 days. Requests are counted within 10 seconds after their response.");

  function showChart(grouping) {
    const daily = [...rows].sort((a, b) => (a.day < b.day ? -1 : 1));
    element("chart").replaceChildren(...(grouping === "day" && rows.length ? [chart({
      title: "Requests by day", labels: daily.map(({ day }) => day), kind: "bars",
      series: [{ name: "all", tone: "a", values: daily.map(({ requests }) => requests) }, { name: "errors", tone: "b", values: daily.map(({ errors }) => errors) }],
    })] : []));
  }

  async function load() {
    say("Loading…");
    const all = query();
    const grouping = all.get("group_by");
    const { found, isComplete } = await read(`/v2/admin/usage?${all}`);
    rows = grouping === "day" ? found : found.sort((a, b) => b.requests - a.requests);
    shown = SHOWN;
    showRows();
    showChart(grouping);
    const total = rows.reduce((sum, { requests }) => sum + requests, 0);
    const limit = isComplete ? "" : ` Only the first ${number(MAX_ROWS)} rows are sorted; select a shorter period or a filter.`;
    element("summary").textContent = rows.length ? `${number(total)} requests in ${number(rows.length)} rows.${limit}` : "";
    say("");
  }

  const consumerColumns = [
    { title: "Consumer", cell: ({ consumer }) => link(consumerName(consumer), `?consumer=${encodeURIComponent(consumerKey(consumer))}&deprecated=true`) },
    { title: "Requests", className: "number", cell: ({ requests }) => number(requests) },
    { title: "Last request", className: "time", cell: ({ last_seen_at: seen }) => time(seen) },
    { title: "Notices", cell: ({ notices, consumer }) => notices.map(({ notice, sent_at: sent }) => `${notice.replaceAll("_", " ")} (${sent.slice(0, 10)})`).join(", ") || (consumer.kind === "anonymous" ? "no contact" : "none yet") },
  ];

  async function loadDeprecations() {
    const { data } = await json("/v2/admin/deprecations?per_page=100");
    const called = data.filter(({ consumers_total: total }) => total > 0);
    const blocks = called.map((operation) => {
      const days = daysUntil(operation.sunset);
      const summary = `${operation.operation} (${operation.version}): ${number(operation.consumers_total)} consumers; ${days > 0 ? `sunset in ${number(days)} days` : "after its sunset"}, on ${operation.sunset}`;
      const more = operation.consumers_total > operation.consumers.length ? [create("p", { text: `The ${operation.consumers.length} consumers with the most requests.`, className: "note" })] : [];
      const successor = create("p", { className: "note", children: ["Successor: ", create("code", { text: operation.successor })] });
      return create("details", { className: "panel", children: [create("summary", { text: summary }), successor, ...more, filled(`Consumers of ${operation.operation}`, consumerColumns, operation.consumers)] });
    });
    const none = data.length ? `None of the ${number(data.length)} deprecated operations has been called since its deprecation.` : "The API has no deprecated operations.";
    element("deprecations").replaceChildren(...(blocks.length ? blocks : [create("p", { text: none, className: "note" })]));
    if (blocks.length === 1) blocks[0].open = true;
  }

  /** Returns the operation with this name, regardless of case. */
  async function operationId(text) {
    const known = await operations();
    const found = known.find((id) => id.toLowerCase() === text.toLowerCase());
    if (found) return found;
    const similar = known.filter((id) => id.toLowerCase().includes(text.toLowerCase())).slice(0, 5);
    throw new Error(`No operation is named “${text}”.${similar.length ? ` Similar: ${similar.join(", ")}.` : ""}`);
  }

  const operations = async () => Object.values((await contract()).paths).flatMap((path) => Object.values(path)).map(({ operationId: id }) => id).filter(Boolean);

  const { params } = filters(element("filters"), load, { operation: operationId, consumer: (text) => text.replace(/^(user|api_client|anonymous)\b/i, (kind) => kind.toLowerCase()) });
  onClick(element("more"), async () => {
    const first = shown;
    shown += SHOWN;
    showRows();
    const row = element("rows").querySelectorAll("tbody tr")[first];
    row.tabIndex = -1;
    row.focus();
  });
  onClick(element("csv"), async () => {
    const response = await call(`/v2/admin/usage?${query()}`, { accept: "text/csv" });
    download(await response.blob(), "usage.csv");
    say("Downloaded usage.csv.");
  });
  operations().then((ids) => {
    element("operations").replaceChildren(...ids.map((id) => create("option", { attributes: { value: id } })));
  }).catch(() => {});
  start(() => Promise.all([load(), loadDeprecations()]).catch(sayError));
})();
