// Lists, creates, rotates and revokes API clients, and changes their deprecation notices. A key is shown once and not stored.
"use strict";

(() => {
  const { accountId, age, breakable, busy, call, confirm, copy, create, element, filters, isSample, json, list, number, onClick, sampleTag, say, start, time, userLink } = window.BucketListConsole;
  const CLIENTS = "/v2/admin/api-clients";

  /** The client whose key is displayed, and whether the administrator has stored the key. */
  let displayed = null;

  /** Keeps a key that is not stored from being replaced by another one. */
  function requireStoredKey() {
    if (!displayed || displayed.isStored) return;
    element("key-panel").focus();
    throw new Error(`Store the key of ${displayed.client.name} first: it cannot be shown again.`);
  }

  function showKey(key, client, text) {
    displayed = { client, isStored: false };
    element("key").textContent = key;
    element("key-text").textContent = `${text} The server stores only a digest of the key: it cannot be shown again.`;
    element("key-panel").hidden = false;
    element("key-panel").focus();
  }

  function hideKey() {
    displayed = null;
    element("key").textContent = "";
    element("key-panel").hidden = true;
  }

  function overlapField() {
    const options = [["0", "immediately"], ["3600", "after one hour"], ["86400", "after one day"], ["604800", "after 7 days"], ["2592000", "after 30 days"]];
    const select = create("select", { attributes: { name: "overlap" }, children: options.map(([value, text]) => create("option", { text, attributes: { value } })) });
    select.value = "86400";
    return create("label", { children: ["Previous keys become invalid ", select] });
  }

  function actions(client) {
    const button = (text, className, work) => {
      const created = create("button", { text, className: `button ${className}`, attributes: { type: "button", "aria-label": `${text}: ${client.name}` } });
      onClick(created, () => work(created));
      return created;
    };
    return [
      button("Rotate key", "", async (target) => {
        requireStoredKey();
        const values = await confirm({ title: "Rotate the key?", text: `${client.name} receives a new key. Its previous keys stay valid until the time below.`, label: "Rotate key", fields: [overlapField()] });
        if (!values) return;
        const { key, key_prefix, previous_valid_until: until } = await json(`${CLIENTS}/${client.id}/rotate?overlap_seconds=${values.overlap}`, { method: "POST" });
        clients.replace(target, { ...client, key_prefix });
        say(`Key of ${client.name} rotated.`);
        showKey(key, client, `This is the new key of ${client.name}. Previous keys are valid until ${time(until)}.`);
      }),
      button(client.deprecation_notices_enabled ? "Disable notices" : "Enable notices", "", async (target) => {
        const enabled = !client.deprecation_notices_enabled;
        const text = `${client.contact_email} receives no email about deprecated operations that ${client.name} calls. Notices that become due are recorded as suppressed, and are not sent later.`;
        if (!enabled && !(await confirm({ title: "Disable the deprecation notices?", text, label: "Disable notices" }))) return;
        const changed = await json(`${CLIENTS}/${client.id}`, { method: "PATCH", body: { deprecation_notices_enabled: enabled } });
        clients.replace(target, changed);
        say(`Deprecation notices to ${client.name} are ${enabled ? "enabled" : "disabled"}.`);
      }),
      button("Revoke", "danger", async (target) => {
        const text = `${client.name} is deleted, and its keys become invalid immediately. Requests with them receive 401.`;
        if (!(await confirm({ title: "Revoke the API client?", text, label: "Revoke" }))) return;
        await call(`${CLIENTS}/${client.id}`, { method: "DELETE" });
        clients.replace(target, null);
        if (displayed?.client.id === client.id) hideKey();
        say(`API client ${client.name} revoked.`);
      }),
    ];
  }

  const isExpired = ({ expires_at: at }) => at !== null && Date.parse(at) <= Date.now();
  const columns = [
    { title: "ID", className: "number", cell: ({ id }) => String(id) },
    { title: "Name", cell: (client) => [create("bdi", { text: client.name }), ...sampleTag(isSample.apiClient(client)), create("small", { children: ["Contact: ", breakable(client.contact_email)] })] },
    { title: "Key", className: "code", cell: ({ key_prefix: prefix }) => `blk_${prefix.replace(/^blk_/, "")}_…` },
    { title: "Scopes", cell: ({ scopes }) => scopes.join(", ") || "none" },
    { title: "Account", className: "name", cell: ({ user_id: id }) => userLink(id) },
    { title: "Limit", className: "number", cell: ({ rate_limit: limit }) => (limit === null ? "general" : `${number(limit)} a minute`) },
    { title: "Expires", className: "time", cell: (client) => (isExpired(client) ? create("span", { text: `expired ${client.expires_at.slice(0, 10)}`, className: "state open" }) : client.expires_at ? client.expires_at.slice(0, 10) : "never") },
    { title: "Last used", className: "time", cell: ({ last_used_at: at }) => (at ? age(at) : "never") },
    { title: "Notices", cell: ({ deprecation_notices_enabled: enabled }) => (enabled ? "enabled" : "disabled") },
    { title: "History", cell: ({ id, name }) => [
      create("a", { text: "Changes", attributes: { href: `/console/audit?target_type=api_client&target_id=${id}`, "aria-label": `Changes: ${name}` } }), " ",
      create("a", { text: "Usage", attributes: { href: `/console/usage?consumer=api_client:${id}`, "aria-label": `Usage: ${name}` } }),
    ] },
    { title: "Actions", className: "actions", cell: actions },
  ];

  const { params, clear } = filters(element("filters"), () => clients.reload(), { user_id: accountId });
  const clients = list({
    root: element("rows"), label: "API clients", columns,
    emptyTitle: "No API clients", empty: "Create one for each program that calls the API, so that its usage and its limits are separate.",
    path: () => `${CLIENTS}?${params()}`,
    isFiltered: () => params().size > 0,
    clear,
  });

  /** The idempotency key stays the same until the request succeeds, so that a second click does not create a second client. */
  let idempotencyKey = null;
  element("new").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    busy(form.querySelector("button"), async () => {
      requireStoredKey();
      const fields = new FormData(form);
      const text = (name) => String(fields.get(name)).trim();
      const scopes = /** @type {Schema<"ApiScope">[]} */ (fields.getAll("scopes"));
      /** @type {Schema<"ApiClientCreate">} */
      const body = { name: text("name"), contact_email: text("contact_email"), scopes };
      if (text("user_id")) body.user_id = Number(await accountId(text("user_id")));
      if (text("rate_limit")) body.rate_limit = Number(text("rate_limit"));
      if (text("expires_at")) body.expires_at = `${text("expires_at")}T00:00:00Z`;
      const content = JSON.stringify(body);
      if (idempotencyKey?.content !== content) {
        idempotencyKey = { content, value: [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
      }
      const client = await json(CLIENTS, { method: "POST", body, headers: { "Idempotency-Key": `"${idempotencyKey.value}"` } });
      idempotencyKey = null;
      form.reset();
      element("create").open = false;
      await clients.reload();
      say(`API client ${client.name} created.`);
      if (client.key) showKey(client.key, client, `This is the key of ${client.name}. Send it as X-API-Key.`);
      else say(`${client.name} was created by an earlier request, which showed its key. Rotate the key to get another one.`, true);
    });
  });
  element("new").addEventListener("input", () => { idempotencyKey = null; });
  element("copy-key").addEventListener("click", async (event) => {
    const shown = displayed;
    if (await copy(element("key").textContent, event.target)) shown.isStored = true;
  });
  element("hide-key").addEventListener("click", () => {
    hideKey();
    document.getElementById("content").focus();
  });
  addEventListener("beforeunload", (event) => {
    if (displayed && !displayed.isStored) event.preventDefault();
  });
  addEventListener("pagehide", hideKey);
  start(clients.reload);
})();
