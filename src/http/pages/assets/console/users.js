// Lists users, and changes their role, status and deprecation notices.
"use strict";

(() => {
  const { age, breakable, call, confirm, create, element, filters, isSample, json, link, list, onClick, sampleTag, say, start } = window.BucketListConsole;
  const USERS = "/v2/admin/users";

  /** The only active administrator, whose account cannot be demoted, disabled or deleted; null if there are several. */
  let lastAdmin = null;

  async function readLastAdmin() {
    const { data } = await json(`${USERS}?role=admin&disabled=false&per_page=2`);
    lastAdmin = data.length === 1 ? data[0].id : null;
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("#rows [data-removes-admin]"))) protect(button);
  }

  function protect(button) {
    const isLast = Number(button.dataset.removesAdmin) === lastAdmin;
    button.disabled = isLast;
    if (isLast) button.title = "This is the last active administrator.";
    else button.removeAttribute("title");
  }

  async function change(button, user, body, done) {
    const changed = await json(`${USERS}/${user.id}`, { method: "PATCH", body });
    users.replace(button, changed);
    await readLastAdmin();
    say(done);
  }

  function actions(user) {
    const button = (text, work, className = "") => {
      const created = create("button", { text, className: `button ${className}`, attributes: { type: "button", "aria-label": `${text}: ${user.email}` } });
      onClick(created, () => work(created));
      if (user.role === "admin" && ["Make user", "Disable", "Delete"].includes(text)) {
        created.dataset.removesAdmin = String(user.id);
        protect(created);
      }
      return created;
    };
    const role = user.role === "admin" ? "user" : "admin";
    return [
      button(role === "admin" ? "Make administrator" : "Make user", async (target) => {
        const text = role === "admin" ? `${user.email} will be able to read and change everything, including this console.` : `${user.email} will lose access to this console.`;
        if (await confirm({ title: "Change the role?", text, label: "Change role" })) await change(target, user, { role }, `${user.email} has the role ${role}.`);
      }),
      button(user.disabled ? "Enable" : "Disable", async (target) => {
        if (!user.disabled && !(await confirm({ title: "Disable the account?", text: `All sessions of ${user.email} end, and the account cannot log in until it is enabled.`, label: "Disable" }))) return;
        await change(target, user, { disabled: !user.disabled }, `${user.email} is ${user.disabled ? "enabled" : "disabled"}.`);
      }),
      button(user.deprecation_notices_enabled ? "Disable notices" : "Enable notices", async (target) => {
        const enabled = !user.deprecation_notices_enabled;
        const text = `${user.email} receives no email about deprecated operations that the account calls. Notices that become due are recorded as suppressed, and are not sent later. API clients of the account are not affected.`;
        if (!enabled && !(await confirm({ title: "Disable the deprecation notices?", text, label: "Disable notices" }))) return;
        await change(target, user, { deprecation_notices_enabled: enabled }, `Deprecation notices to ${user.email} are ${enabled ? "enabled" : "disabled"}.`);
      }),
      button("Delete", async (target) => {
        const text = `${user.email} is deleted permanently, with all its bucketlists, items and sessions.`;
        if (!(await confirm({ title: "Delete the account?", text, label: "Delete account" }))) return;
        await call(`${USERS}/${user.id}`, { method: "DELETE" });
        users.replace(target, null);
        await readLastAdmin();
        say(`${user.email} deleted.`);
      }, "danger"),
    ];
  }

  const columns = [
    { title: "ID", className: "number", cell: ({ id }) => String(id) },
    { title: "Email", className: "email", cell: (user) => [breakable(user.email), ...sampleTag(isSample.user(user))] },
    { title: "Name", cell: ({ name }) => create("bdi", { text: name }) },
    { title: "Role", cell: ({ role }) => role },
    { title: "Status", cell: ({ disabled }) => create("span", { text: disabled ? "disabled" : "enabled", className: disabled ? "state open" : "state" }) },
    { title: "Notices", cell: ({ deprecation_notices_enabled: enabled }) => (enabled ? "enabled" : "disabled") },
    { title: "Created", className: "time", cell: ({ created_at: at }) => age(at) },
    { title: "History", cell: ({ id, email }) => [
      link("Changes", `/console/audit?target_type=user&target_id=${id}`), " ", link("Actions", `/console/audit?actor_id=${id}`), " ", link("Usage", `/console/usage?consumer=user:${id}`),
    ].map((part) => {
      if (part instanceof Element) part.setAttribute("aria-label", `${part.textContent}: ${email}`);
      return part;
    }) },
    { title: "Actions", className: "actions", cell: actions },
  ];

  /** Returns the filter of an account as it is in the address: `user:2` for `user 2` or `#2`. */
  const accountKey = (text) => text.replace(/^(?:user[\s:]*|#)([1-9]\d{0,17})$/i, "user:$1");

  /** Returns the ID in the search, if it is one. */
  const searchedId = () => params().get("q")?.match(/^(?:user:)?([1-9]\d{0,17})$/)?.[1];

  /** Reads a page, or the account with the searched ID. A number that is not an ID can be a part of an email address or a name. */
  async function read(path) {
    const id = searchedId();
    if (!id) return json(path);
    try {
      const user = await json(`${USERS}/${id}`);
      const matches = ["role", "disabled"].every((name) => !params().has(name) || params().get(name) === String(user[name]));
      return { data: matches ? [user] : [], links: { next: null } };
    } catch (error) {
      if (error.status === 404) return params().get("q") === id ? json(path) : { data: [], links: { next: null } };
      throw error;
    }
  }

  const { params, clear } = filters(element("filters"), () => users.reload(), { q: accountKey });
  const users = list({
    root: element("rows"), label: "Users", columns, emptyTitle: "No users", empty: "Accounts appear here after a registration, or after `bucketlist user create`.",
    path: () => `${USERS}?${new URLSearchParams([["sort", "-created_at"], ...params()].filter(([name], index) => name !== "sort" || index > 0 || !params().has("sort")))}`,
    isFiltered: () => params().size > 0,
    noMatch: () => (searchedId() ? { title: `No account with the ID ${searchedId()} matches these filters.`, text: "If it was deleted, the audit log has its events: filter by the resource user and this ID." } : null),
    clear, read,
  });
  start(async () => {
    await readLastAdmin();
    await users.reload();
  });
})();
