// Lists background jobs with their errors, retries, cancels and deletes them, and shows and runs the recurring tasks.
"use strict";

(() => {
  const { age, breakable, call, confirm, contract, create, element, filled, filters, isSample, json, list, number, onClick, poll, sampleTag, say, sayError, start, userLink } = window.BucketListConsole;
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
      const changed = jobs.replace(target, await json(`${JOBS}/${job.id}/${operation}`, { method: "POST" }));
      say(done);
      return changed;
    };
    return [
      ...button("retry", "Retry", "", async (target) => {
        const changed = await change(target, "retry", `Job ${job.id} is due now.`);
        follow(job.id, changed).catch(sayError);
      }),
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

  const isPending = ({ state: value }) => ["queued", "running"].includes(value);

  /** Shows the states of a job in its row until the attempt has ended or the row is removed, and says how the attempt ended. */
  async function follow(id, changed) {
    let current = changed;
    const job = await poll(async () => (current.isConnected ? json(`${JOBS}/${id}`) : null), (value) => !value || !isPending(value), (value) => {
      // A disabled button waits for a response of the user or of the server.
      if (value && current.isConnected && !current.querySelector("button:disabled")) current = jobs.replace(current, value, current.contains(document.activeElement));
    });
    if (!job || !current.isConnected) return;
    if (isPending(job)) say(`Job ${id} is still ${job.state}. Reload the page to see its state later.`);
    else say(`Job ${id}: ${job.state}.${job.last_error ? ` ${job.last_error}` : ""}`, job.state === "dead" || job.state === "retrying");
  }

  const payload = (values) => Object.entries(values).flatMap(([name, value]) => [", ", `${name}: `, name === "user_id" ? userLink(value, value) : value]).slice(1);

  /** A job that was retried has the error of its former attempts until the next one. */
  const errorText = (job) => (isPending(job) && job.attempts === 0 ? `Before the retry: ${job.last_error}` : job.last_error);
  const columns = [
    { title: "ID", className: "number", cell: ({ id }) => String(id) },
    { title: "Kind", className: "code", cell: (job) => [breakable(job.kind), ...sampleTag(isSample.job(job))] },
    { title: "State", cell: ({ state: value }) => state(value) },
    { title: "Attempts", className: "number", cell: ({ attempts, max_attempts: most }) => `${number(attempts)} of ${number(most)}` },
    { title: "Arguments", cell: ({ payload: values }) => create("bdi", { children: Object.keys(values).length ? payload(values) : ["–"] }) },
    { title: "Error", cell: (job) => (job.last_error ? create("bdi", { text: errorText(job), className: "error-text" }) : "–") },
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
    { title: "Actions", className: "actions", cell: ({ name, last_started_at: before }) => {
      const run = create("button", { text: "Run now", className: "button", attributes: { type: "button", "aria-label": `Run now: ${name}` } });
      onClick(run, async () => {
        await call(`${SCHEDULES}/${encodeURIComponent(name)}/run`, { method: "POST" });
        await loadSchedules();
        say(`The task ${name} runs within seconds.`);
        runButton(name)?.focus();
        followTask(name, before).catch(sayError);
      });
      return [run];
    } },
  ];

  /** Whether a task has run since it had `before` as the start of its last run. */
  const hasRun = ({ last_started_at: started, last_finished_at: finished }, before) => started !== before && finished !== null;

  const runButton = (name) => /** @type {HTMLElement | null} */ (element("schedules").querySelector(`[aria-label="Run now: ${name}"]`));

  /** Waits until a task has run again, shows it, and says its result. */
  async function followTask(name, before) {
    const read = async () => (await json(`${SCHEDULES}?per_page=100`)).data.find((task) => task.name === name);
    const task = await poll(read, (value) => !value || hasRun(value, before));
    const isFocused = runButton(name) === document.activeElement;
    await loadSchedules();
    if (isFocused) runButton(name)?.focus();
    if (!task || !hasRun(task, before)) say(`The task ${name} has not run yet. Reload the page to see its result later.`);
    else say(`The task ${name}: ${task.last_result}.${task.last_error ? ` ${task.last_error}` : ""}`, task.last_result === "failed");
  }

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
