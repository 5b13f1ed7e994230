// Lists the exports of all users, cancels those that are queued or running, and downloads those of the administrator.
"use strict";

(() => {
  const { accountId, age, call, confirm, contract, create, currentUser, download, element, filters, isSample, list, number, onClick, sampleTag, say, sayError, start, userLink } = window.BucketListConsole;
  const EXPORTS = "/v2/admin/exports";
  const MEDIA_TYPES = { json: "application/json", csv: "text/csv", ndjson: "application/x-ndjson" };
  const STATE_CLASSES = { failed: "state open", finished: "state good" };

  function actions(value) {
    const button = (text, className, work) => {
      const created = create("button", { text, className: `button ${className}`, attributes: { type: "button", "aria-label": `${text}: export ${value.id}` } });
      onClick(created, () => work(created));
      return created;
    };
    const all = [];
    if (value._links.cancel) {
      all.push(button("Cancel", "danger", async (target) => {
        const text = "The export fails, and its user has to request another one. A running export stops within 10 seconds.";
        if (!(await confirm({ title: `Cancel export ${value.id}?`, text, label: "Cancel export" }))) return;
        await call(value._links.cancel.href, { method: value._links.cancel.method });
        const { cancel, job, ..._links } = value._links;
        exports.replace(target, { ...value, state: "failed", finished_at: new Date().toISOString(), _links });
        say(`Export ${value.id} cancelled.`);
      }));
    }
    if (value.state === "finished" && value.user_id === currentUser().id) {
      all.push(button("Download", "", async () => {
        const response = await call(`/v2/exports/${value.id}/content`, { accept: MEDIA_TYPES[value.format] });
        download(await response.blob(), `bucketlists-${value.id}.${value.format}`);
        say(`Downloaded export ${value.id}.`);
      }));
    }
    return all.length ? all : ["–"];
  }

  const columns = [
    { title: "ID", className: "number", cell: ({ id }) => String(id) },
    { title: "User", className: "name", cell: ({ user_id: id, ...value }) => [userLink(id), ...sampleTag(isSample.export(value))] },
    { title: "State", cell: ({ state }) => create("span", { text: state, className: STATE_CLASSES[state] ?? "state" }) },
    { title: "Format", className: "code", cell: ({ format }) => format },
    { title: "Records", className: "number", cell: ({ records }) => (records === null ? "–" : number(records)) },
    { title: "Created", className: "time", cell: ({ created_at: at }) => age(at) },
    { title: "Finished", className: "time", cell: ({ finished_at: at }) => age(at) },
    { title: "Expires", className: "time", cell: ({ expires_at: at }) => age(at) },
    { title: "Actions", className: "actions", cell: actions },
  ];

  const { params, clear } = filters(element("filters"), () => exports.reload(), { user_id: accountId });
  const exports = list({
    root: element("rows"), label: "Exports", columns, emptyTitle: "No exports",
    empty: "Users create exports with POST /v2/exports. An export is listed until it expires, by default after one day.",
    path: () => `${EXPORTS}?${params()}`,
    isFiltered: () => params().size > 0,
    clear,
  });

  async function fillStates() {
    const field = element("filters").elements.state;
    field.append(...(await contract()).components.schemas.ExportState.enum.map((value) => create("option", { text: value })));
    field.value = params().get("state") ?? "";
  }
  fillStates().catch(sayError);
  start(exports.reload);
})();
