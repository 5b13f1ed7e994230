// The overview: health, requests, errors and latency, and the deprecated operations that are still called.
"use strict";

(() => {
  const {
    age, chart, count, create, day, daysUntil, element, filled, filters, isMeasured, isSample, json, latencyText, link, number, sampleTag, say, sparkline, start, url,
  } = window.BucketListConsole;
  const HOUR = 3_600_000;
  const PAGE = 100;

  /** Returns the usage of the last 24 hours or 30 days, one entry per period; without requests, `requests` is 0. */
  async function usage(period) {
    const isHourly = period === "24h";
    const step = isHourly ? HOUR : 24 * HOUR;
    const count = isHourly ? 24 : 30;
    const last = Math.floor(Date.now() / step) * step;
    const first = last - (count - 1) * step;
    const query = new URLSearchParams({ group_by: isHourly ? "hour" : "day", from: day(new Date(first)), per_page: String(PAGE) });
    const { data } = await json(`/v2/admin/usage?${query}`);
    const rows = new Map(data.map((row) => [Date.parse(isHourly ? row.hour : row.day), row]));
    return Array.from({ length: count }, (_, index) => {
      const at = first + index * step;
      const label = new Date(at).toISOString();
      return { label: isHourly ? `${label.slice(11, 16)} UTC` : label.slice(5, 10), ...(rows.get(at) ?? { requests: 0, errors: 0, latency_ms: null }) };
    });
  }

  async function health() {
    const response = await fetch(url("/health/ready"), { headers: { Accept: "application/json" } });
    const body = await response.json().catch(() => null);
    return response.ok ? { text: "Ready", detail: "Database and migrations OK." } : { text: "Not ready", detail: body?.detail ?? `Status ${response.status}`, isBad: true };
  }

  function figure(name, value, detail, isBad = false) {
    const text = create("dd", { text: value, className: isBad ? "error-text" : "" });
    if (detail) text.append(create("small", { text: detail }));
    return create("div", { children: [create("dt", { text: name }), text] });
  }

  const percent = (part, all) => (all ? `${((100 * part) / all).toFixed(part && part < all ? 1 : 0)} %` : "–");

  /** Returns a link as the value of a figure. */
  function linked(name, text, href, detail) {
    const value = create("dd", { children: [link(text, href), create("small", { text: detail })] });
    return create("div", { children: [create("dt", { text: name }), value] });
  }

  const columns = [
    { title: "Operation", className: "code", cell: ({ operation, version }) => link(`${operation} (${version})`, `/console/usage?operation=${operation}&version=${version}&group_by=consumer`) },
    { title: "Successor", className: "code", cell: ({ successor }) => successor },
    { title: "Sunset", cell: ({ sunset }) => (daysUntil(sunset) > 0 ? `${sunset}, in ${count(daysUntil(sunset), "day")}` : `${sunset}, reached`) },
    { title: "Consumers", className: "number", cell: ({ consumers_total: total }) => number(total) },
    { title: "Last request", className: "time", cell: ({ consumers }) => window.BucketListConsole.time(consumers.map(({ last_seen_at: seen }) => seen).sort().at(-1)) },
  ];

  /** Number of groups of incidents in the overview. */
  const FAILURES = 5;
  /** @type {Column<Schema<"IncidentGroup">>[]} */
  const failureColumns = [
    { title: "Failure", className: "code", cell: ({ operation, status, code, fingerprint, incidents }) => {
      const text = `${operation ?? "No operation"}: ${[status, code].filter(Boolean).join(" ")}`;
      const title = incidents > 0 ? link(text, `/console/incidents?fingerprint=${fingerprint}&id=latest`) : text;
      return [title, ...sampleTag(isSample.group({ fingerprint }))];
    } },
    { title: "14 days", cell: ({ activity }) => sparkline(activity) },
    { title: "Count", className: "number", cell: ({ occurrences }) => number(occurrences) },
    { title: "Users", className: "number", cell: ({ users }) => number(users) },
    { title: "Last seen", className: "time", cell: ({ last_seen_at: at }) => age(at) },
    { title: "State", cell: ({ state }) => create("span", { text: state, className: state === "regressed" ? "state warn" : "state open" }) },
  ];

  function showFailures({ data }) {
    const none = create("p", { text: "No failure is unresolved.", className: "note" });
    element("failures").replaceChildren(data.length ? filled("Latest unresolved failures", failureColumns, data.slice(0, FAILURES)) : none);
  }

  function showDeprecations({ data }) {
    const called = data.filter(({ consumers_total: total }) => total > 0);
    const text = data.length === 0 ? "The API has no deprecated operations."
      : `${number(data.length)} operations are deprecated. None of them has been called since its deprecation.`;
    element("deprecations").replaceChildren(called.length ? filled("Deprecated operations that are still called", columns, called) : create("p", { text, className: "note" }));
    return called;
  }

  async function load() {
    say("Loading…");
    const period = params().get("period") ?? "24h";
    const jobsIn = (state) => json(`/v2/admin/jobs?state=${state}&include=total&per_page=1`);
    const [days, plotted, ready, version, groups, deprecations, queued, retrying, dead] = await Promise.all([
      usage("30d"), period === "30d" ? null : usage(period), health(), json("/version"),
      json(`/v2/admin/incident-groups?resolved=false&sort=-last_seen_at&per_page=${PAGE}`), json(`/v2/admin/deprecations?per_page=${PAGE}`),
      jobsIn("queued"), jobsIn("retrying"), jobsIn("dead"),
    ]);
    const called = showDeprecations(deprecations);
    showFailures(groups);
    const waiting = `${number(queued.meta.total)} queued, ${number(retrying.meta.total)} retrying`;
    const jobs = dead.meta.total > 0
      ? linked("Jobs", `${number(dead.meta.total)} dead`, "/console/jobs?state=dead", `${waiting}; dead jobs have exhausted their attempts`)
      : linked("Jobs", waiting, "/console/jobs", "no dead jobs");
    const today = days.at(-1);
    const latency = today.latency_ms;
    element("figures").replaceChildren(
      figure("Health", ready.text, ready.detail, ready.isBad),
      figure("Version", version.version, `API ${version.contracts.join(", ")}; commit ${version.commit.slice(0, 10)}`),
      linked("Requests today", number(today.requests), "/console/usage?group_by=day", "since 00:00 UTC"),
      figure("Errors today", percent(today.errors, today.requests), `${number(today.errors)} responses of 400 or more`),
      figure("Latency today", isMeasured(today) ? latencyText(latency.p95) : "–", isMeasured(today) ? `p95, estimated; p50 ${latencyText(latency.p50)}, p99 ${latencyText(latency.p99)}` : "fewer than two requests"),
      linked("Unresolved incidents", `${number(groups.data.length)}${groups.links.next ? "+" : ""}`, "/console/incidents?resolved=false", `groups; ${number(groups.data.filter(({ state }) => state === "regressed").length)} regressed`),
      jobs,
      figure("Deprecated operations in use", `${number(called.length)} of ${number(deprecations.data.length)}`, "called since the deprecation"),
    );
    const rows = plotted ?? days;
    const labels = rows.map(({ label }) => label);
    const quantile = ([name, tone]) => ({ name, tone, values: rows.map((row) => (isMeasured(row) ? row.latency_ms[name] : null)) });
    element("charts").replaceChildren(
      chart({ title: "Requests", labels, kind: "bars", series: [{ name: "all", tone: "a", values: rows.map(({ requests }) => requests) }, { name: "errors", tone: "b", values: rows.map(({ errors }) => errors) }] }),
      chart({ title: "Latency (estimated, ms)", labels, kind: "lines", unit: " ms", series: [["p50", "a"], ["p95", "c"], ["p99", "b"]].map(quantile) }),
    );
    say("");
  }

  const { params } = filters(element("filters"), load);
  // Addresses of incidents before the console had several pages.
  function follow() {
    if (/^#\d+$/.test(location.hash)) location.replace(url(`/console/incidents?id=${location.hash.slice(1)}`));
  }
  addEventListener("hashchange", follow);
  follow();
  start(load);
})();
