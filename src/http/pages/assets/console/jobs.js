// Lists background jobs with their errors, retries, cancels and deletes them, and shows and runs the recurring tasks.
"use strict";

(() => {
  const { age, breakable, call, confirm, contract, create, element, filled, filters, isSample, json, list, number, onClick, sampleTag, say, sayError, start } = window.BucketListConsole;
  const JOBS = "/v2/admin/jobs";
  const SCHEDULES = "/v2/admin/schedules";

  const STATE_CLASSES = { dead: "state open", done: "state good" };
  const state = (value) => create("span", { text: value.replaceAll("_", " "), className: STATE_CLASSES[value] ?? "state" });

  /** The operations that the state of the job permits are links of the job. */
  function actions(job) {
    const button = (relation, text, className, work) => {
      if (!job._links[relation]) return [];
      const created = create("button", { text, className: `button ${className}`, attributes: { type: "button", "aria-label": `${text}: job ${job.id}` } });
      onClick(created, () => work(created));
      return [created];
    };
    /** @param {"retry" | "cancel"} operation */
    const change = async (target, operation, done) => {
      jobs.replace(target, await json(`${JOBS}/${job.id}/${operation}`, { method: "POST" }));
      say(done);
    };
    return [
      ...button("retry", "Retry", "", (target) => change(target, "retry", `Job ${job.id} is due now.`)),
      ...button("cancel", "Cancel", "", async (target) => {
        const text = "A running job stops within 10 seconds; what it has done until then remains.";
        if (await confirm({ title: `Cancel job ${job.id}?`, text, label: "Cancel job" })) await change(target, "cancel", `Job ${job.id} cancelled.`);
      }),
      ...button("delete", "Delete", "danger", async (target) => {
        if (!(await confirm({ title: `Delete job ${job.id}?`, text: "The job is deleted permanently. A job that waits does not run.", label: "Delete job" }))) return;
        await call(`${JOBS}/${job.id}`, { method: "DELETE" });
        jobs.replace(target, null);
        say(`Job ${job.id} deleted.`);
      }),
    ];
  }

  const payload = (values) => Object.entries(values).map(([name, value]) => `${name}: ${value}`).join(", ") || "–";
  const columns = [
    { title: "ID", className: "number", cell: ({ id }) => String(id) },
    { title: "Kind", className: "code", cell: (job) => [breakable(job.kind), ...sampleTag(isSample.job(job))] },
    { title: "State", cell: ({ state: value }) => state(value) },
    { title: "Attempts", className: "number", cell: ({ attempts, max_attempts: most }) => `${number(attempts)} of ${number(most)}` },
    { title: "Arguments", cell: ({ payload: values }) => create("bdi", { text: payload(values) }) },
    { title: "Error", cell: ({ last_error: error }) => create("bdi", { text: error ?? "–", className: error ? "error-text" : "" }) },
    { title: "Created", className: "time", cell: ({ created_at: at }) => age(at) },
    { title: "Due or finished", className: "time", cell: ({ run_at: due, finished_at: finished }) => age(finished ?? due) },
    { title: "Actions", className: "actions", cell: actions },
  ];

  const { params, clear } = filters(element("filters"), () => jobs.reload(), { kind: (text) => text.toLowerCase().replace(/[\s-]/g, "_") });
  const jobs = list({
    root: element("rows"), label: "Jobs", columns,
    emptyTitle: "No jobs", empty: "Mail, exports and other background work appear here. Jobs that are done are deleted after one day by default.",
    path: () => `${JOBS}?${params()}`,
    isFiltered: () => params().size > 0,
    clear,
  });

  const scheduleColumns = [
    { title: "Task", className: "code", cell: ({ name }) => breakable(name) },
    { title: "Every", cell: ({ interval_seconds: seconds }) => (seconds % 3600 === 0 ? `${number(seconds / 3600)} h` : seconds % 60 === 0 ? `${number(seconds / 60)} min` : `${number(seconds)} s`) },
    { title: "Last run", className: "time", cell: ({ last_started_at: at }) => (at ? age(at) : "not yet") },
    { title: "Result", cell: ({ last_result: result, last_count: count, last_error: error }) => [
      ...(result ? [create("span", { text: result, className: result === "failed" ? "state open" : "state good" }), count === null ? "" : `, ${number(count)} processed`] : ["–"]),
      ...(error ? [create("bdi", { text: ` ${error}`, className: "error-text" })] : []),
    ] },
    { title: "Next run", className: "time", cell: ({ next_run_at: at }) => age(at) },
    { title: "Actions", className: "actions", cell: ({ name }) => {
      const run = create("button", { text: "Run now", className: "button", attributes: { type: "button", "aria-label": `Run now: ${name}` } });
      onClick(run, async () => {
        await call(`${SCHEDULES}/${encodeURIComponent(name)}/run`, { method: "POST" });
        await loadSchedules();
        say(`The task ${name} runs within seconds.`);
        element("schedules").querySelector(`[aria-label="Run now: ${name}"]`)?.focus();
      });
      return [run];
    } },
  ];

  async function loadSchedules() {
    const { data } = await json(`${SCHEDULES}?per_page=100`);
    element("schedules").replaceChildren(data.length ? filled("Recurring tasks", scheduleColumns, data) : create("p", { text: "No recurring tasks are enabled.", className: "note" }));
  }

  async function fillStates() {
    const field = element("filters").elements.state;
    field.append(...(await contract()).components.schemas.JobState.enum.map((value) => create("option", { text: value })));
    field.value = params().get("state") ?? "";
  }
  fillStates().catch(sayError);
  start(() => Promise.all([jobs.reload(), loadSchedules()]));
})();
