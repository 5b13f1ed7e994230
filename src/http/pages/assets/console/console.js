// What all sections of the console share: the session of an administrator, messages, dialogs and small helpers.
"use strict";

window.BucketListConsole = (() => {
  const { ApiError, call: send, clear, logIn, logOut, messageOf, onChange, stored, user: requestUser } = window.BucketList;
  const { url } = window.BucketListPage;

  const element = (id) => document.getElementById(id);
  const notice = element("notice");

  // ---- elements -----------------------------------------------------------------------------------------------------

  /** Shows the characters that change the order of a text as escapes, such as `\u202e`. With them, a name can imitate another one. */
  const visible = (text) => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

  /** Creates an element with text and children, never with markup. */
  function create(tag, { text, className, attributes = {}, children = [] } = {}) {
    const created = document.createElement(tag);
    if (text !== undefined) created.textContent = visible(String(text));
    if (className) created.className = className;
    for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, name === "href" ? url(value) : value);
    created.append(...children.map((child) => (typeof child === "string" ? visible(child) : child)));
    return created;
  }

  /** Returns a name, such as `new_login_mail` or `listReplayTargets`, with the places at which it can be broken. */
  const breakable = (name) => create("span", { children: name.split(/(?<=[_.@-])|(?<=[a-z])(?=[A-Z])/).flatMap((part, index) => (index ? [create("wbr"), part] : [part])) });

  const link = (text, href) => create("a", { text, attributes: { href } });

  /** Returns a link whose text can be broken like a name. */
  const nameLink = (name, href) => create("a", { attributes: { href }, children: [breakable(name)] });

  /** Returns a link to an account in the section Users. */
  const userLink = (id, text = `user ${id}`) => link(text, `/console/users?q=user:${id}`);

  // ---- messages -----------------------------------------------------------------------------------------------------

  /** Shows a message; `actions` are links and buttons next to it. */
  function say(text, isError = false, actions = []) {
    notice.textContent = visible(text);
    notice.classList.toggle("error", isError);
    element("notice-actions").hidden = actions.length === 0;
    element("notice-actions").replaceChildren(...actions);
  }

  /** Shows an error with what to do about it. `retry` repeats what has failed. */
  function sayError(error, retry = null) {
    const actions = [];
    const isTemporary = error instanceof TypeError || error.status >= 500 || error.status === 429;
    if (retry && isTemporary) {
      const button = create("button", { text: "Try again", className: "button", attributes: { type: "button" } });
      button.addEventListener("click", () => busy(button, retry));
      actions.push(button);
    }
    let text = messageOf(error);
    if (error.status >= 500 && error.requestId) {
      text += ` Request ID: ${error.requestId}.`;
      actions.push(link("Find the incident", `/console/incidents?request_id=${encodeURIComponent(error.requestId)}`));
    }
    if (error.status === 412) text += " Reload the page to see the current state.";
    say(text, true, actions);
    // The role may have changed since the page was opened.
    if (error.status === 403) checkRole().catch(() => {});
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  /**
   * Sends a request as the administrator. Changes apply to any version of the resource: `If-Match` may be mandatory. If the session has ended, the
   * user logs in again in place, and the request is sent then.
   */
  async function call(path, options = {}) {
    const headers = { ...(["PATCH", "PUT", "DELETE"].includes(options.method) && { "If-Match": "*" }), ...options.headers };
    for (;;) {
      try {
        return await send(path, { ...options, headers });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 401 && isOpen())) throw error;
        await logInAgain(error);
      }
    }
  }

  const json = async (path, options) => (await call(path, options)).json();

  /** The schemas of the API, for the values of filters. */
  let document_ = null;
  const contract = () => (document_ ??= fetch(url("/openapi/v2.json")).then((response) => response.json()));

  const operations = async () => Object.values((await contract()).paths).flatMap((path) => Object.values(path)).map(({ operationId: id }) => id).filter(Boolean);

  /** Returns a function that finds the name that equals a text regardless of case, or throws a message with similar names. */
  const named = (kind, known) => async (text) => {
    const names = await known();
    const wanted = text.toLowerCase().replace(/[\s-]/g, "_");
    const found = names.find((name) => [text.toLowerCase(), wanted].includes(name.toLowerCase()));
    if (found) return found;
    const similar = names.filter((name) => name.toLowerCase().includes(wanted)).slice(0, 5);
    throw new Error(`No ${kind} is named “${text}”.${similar.length ? ` Similar: ${similar.join(", ")}.` : ""}`);
  };

  /** Returns the ID of an account as people write it: `2`, `user 2`, `user:2`, or its email address. */
  async function accountId(text) {
    const id = text.match(/^(?:user[\s:]*)?([1-9]\d{0,17})$/i)?.[1];
    if (id) return id;
    const { data } = await json(`/v2/admin/users?q=${encodeURIComponent(text)}&per_page=100`);
    const found = data.find(({ email }) => email.toLowerCase() === text.toLowerCase());
    if (!found) throw new Error(`No account has the email address “${text}”. Enter an email address or the ID of an account.`);
    return String(found.id);
  }

  // ---- formats ------------------------------------------------------------------------------------------------------

  const time = (timestamp) => (timestamp ? timestamp.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC") : "–");
  const number = (value) => new Intl.NumberFormat("en").format(value);
  const day = (date) => date.toISOString().slice(0, 10);
  /** Returns a number with a noun: `1 consumer`, `2 consumers`. */
  const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  const daysUntil = (date) => Math.ceil((Date.parse(date) - Date.now()) / 86_400_000);

  const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

  /** Returns the distance of a timestamp from now in the largest unit, such as `3 h ago`, with the timestamp as its title. */
  function age(timestamp) {
    if (!timestamp) return create("span", { text: "–" });
    const seconds = Math.round((Date.now() - Date.parse(timestamp)) / 1000);
    const distance = Math.abs(seconds);
    const [unit, length] = UNITS.find(([, size]) => distance >= size) ?? UNITS.at(-1);
    const count = `${number(Math.floor(distance / length))} ${unit}`;
    const text = distance < 5 ? "now" : seconds < 0 ? `in ${count}` : `${count} ago`;
    return create("time", { text, attributes: { datetime: timestamp, title: time(timestamp) } });
  }

  /** Whether a resource is part of the sample data. */
  const isSample = {
    apiClient: ({ key_prefix: prefix }) => prefix.replace(/^blk_/, "") === "demoDemo",
    export: ({ created_at: created, finished_at: finished }) => created === finished,
    group: ({ fingerprint }) => fingerprint === "a572e864db779d218c2a1067",
    incident: ({ request_id: id }) => id === "019b76da-a800-7000-8000-000000000001",
    job: ({ worker }) => worker === "server-1/4711/0f3a5b7c",
    user: ({ email }) => ["admin@example.com", "demo@example.com"].includes(email),
  };
  /** Returns the tag of sample data after a name, or nothing. */
  const sampleTag = (isShown) => (isShown ? [" ", create("span", { text: "sample", className: "tag", attributes: { title: "Part of the sample data" } })] : []);

  /** The upper bound of the latency histogram of the API, in milliseconds. */
  const MAX_LATENCY = 10_000;
  const milliseconds = (value) => (value >= MAX_LATENCY ? `>${number(MAX_LATENCY)}` : value.toFixed(1));
  const latencyText = (value) => `${milliseconds(value)} ms`;
  /** A single request has no percentiles. */
  const isMeasured = ({ requests, latency_ms: latency }) => requests > 1 && latency !== null;

  /** Returns the name of a consumer of the API, and the value of the filter that selects it. */
  function consumerName(consumer) {
    if (!consumer) return "–";
    const kind = { api_client: "API client", user: "User", anonymous: "Anonymous" }[consumer.kind] ?? consumer.kind;
    return consumer.id ? `${kind} ${consumer.id}${consumer.name ? `: ${consumer.name}` : ""}` : `${kind}: ${consumer.name ?? "unknown"}`;
  }

  /** Returns a cell with a consumer that links to `href`, and the contact of an API client. The name of an account is its email address. */
  function consumerCell(consumer, href) {
    const contact = consumer?.contact_email && consumer.contact_email !== consumer.name ? [create("small", { children: ["Contact: ", breakable(consumer.contact_email)] })] : [];
    // The audit log says who created and deleted it, and the name of an API client.
    const deleted = consumer?.id && !consumer.name ? [create("small", { children: ["Deleted: ", link("audit events", `/console/audit?target_type=${consumer.kind}&target_id=${consumer.id}`)] })] : [];
    return [create("bdi", { children: [nameLink(consumerName(consumer), href)] }), ...contact, ...deleted];
  }
  const consumerKey = ({ kind, id, name }) => `${kind}:${id ?? name}`;

  // ---- files and clipboard ------------------------------------------------------------------------------------------

  function download(blob, name) {
    const anchor = create("a", { attributes: { download: name } });
    anchor.href = URL.createObjectURL(blob);
    anchor.click();
    URL.revokeObjectURL(anchor.href);
  }

  /** Copies a text and shows on the button whether that worked. Returns whether it did. */
  async function copy(text, button) {
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    setTimeout(() => { button.textContent = label; }, 2000);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      return true;
    } catch {
      button.textContent = "Copy failed: select the text";
      return false;
    }
  }

  // ---- buttons and dialogs ------------------------------------------------------------------------------------------

  /** Disables a button while its work is running, and shows an error. The focus stays on the button. */
  async function busy(button, work) {
    const hadFocus = document.activeElement === button;
    button.disabled = true;
    try {
      return await work();
    } catch (error) {
      sayError(error);
      return undefined;
    } finally {
      button.disabled = false;
      if (hadFocus && document.activeElement === document.body && button.isConnected) button.focus();
    }
  }

  const onClick = (button, work) => button.addEventListener("click", () => busy(button, work));

  const POLL_MS = 1_500;
  const MAX_POLLS = 20;

  /** Reads a value until `isSettled(value)`, for at most 30 seconds. Calls `show(value)` with each; returns the last one. */
  async function poll(read, isSettled, show = (value) => value) {
    let value;
    for (let polls = 0; polls < MAX_POLLS; polls += 1) {
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
      value = await read();
      show(value);
      if (isSettled(value)) break;
    }
    return value;
  }

  /** Asks for a confirmation. Resolves to the values of the fields, or to null. */
  function confirm({ title, text, label, fields = [], isDangerous = true }) {
    const dialog = element("dialog");
    element("dialog-title").textContent = title;
    element("dialog-text").textContent = visible(text);
    element("dialog-confirm").textContent = label;
    element("dialog-confirm").className = `button ${isDangerous ? "danger" : "primary"}`;
    element("dialog-fields").replaceChildren(...fields);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        const values = Object.fromEntries(new FormData(dialog.querySelector("form")));
        resolve(dialog.returnValue === "confirm" ? values : null);
      }, { once: true });
    });
  }

  // ---- session ------------------------------------------------------------------------------------------------------

  let load = null;
  /** Runs before the data is loaded. */
  let prepare = async () => {};
  const beforeLoad = (work) => { prepare = work; };
  let user = null;
  const loginDialog = element("login-dialog");
  const loginForm = element("login");
  const loginHome = loginForm.parentElement;
  const [loginEmail, loginPassword, loginReason, loginCancel] = ["email", "password", "reason", "cancel"].map((name) => element(`login-${name}`));

  /** Whether the section is displayed, possibly with the input of the user. */
  const isOpen = () => !element("view").hidden;

  function showPanel(name) {
    placeLogin(false);
    // The form is part of the page only while it is used: its labels are those of other forms, too.
    if (name === "login") loginHome.insertBefore(loginForm, element("forbidden"));
    loginForm.hidden = name !== "login";
    for (const id of ["forbidden", "view"]) element(id).hidden = id !== name;
    element("session").hidden = name === "login";
  }

  /** Moves the form to log in into the dialog above the section, or removes it. */
  function placeLogin(inDialog, reason = "") {
    loginReason.textContent = reason;
    loginReason.hidden = !reason;
    loginCancel.hidden = !inDialog;
    if (inDialog && loginForm.parentElement === loginDialog) return;
    if (inDialog) {
      loginDialog.append(loginForm);
      loginForm.hidden = false;
      if (user) loginEmail.value = user.email;
      loginDialog.showModal();
      element(user ? "login-password" : "login-email").focus();
    } else {
      if (loginDialog.open) loginDialog.close();
      loginForm.remove();
    }
  }

  /** Shows the form to log in above the section. Resolves when there is a session again; rejects if the user leaves the page. */
  let again = null;
  function logInAgain(error) {
    if (!again) {
      again = {};
      again.promise = new Promise((resolve, reject) => { Object.assign(again, { resolve, reject }); });
      again.error = error;
      placeLogin(true, "Your session has ended. Log in again: your input is still there, and the last action continues.");
    }
    return again.promise;
  }

  function settle(isLoggedIn) {
    const waiting = again;
    again = null;
    placeLogin(false);
    if (isLoggedIn) waiting?.resolve();
    else waiting?.reject(waiting.error);
  }

  function leave() {
    user = null;
    settle(false);
    showPanel("login");
  }
  loginCancel.addEventListener("click", leave);
  loginDialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });

  function showUser() {
    element("session-user").textContent = user.email;
    element("session-role").textContent = `(${user.role})`;
    element("forbidden-user").textContent = user.email;
  }

  /** Shows the section, the form to log in, or why the user may not see the section. */
  async function show() {
    if (!stored()) {
      user = null;
      showPanel("login");
      return;
    }
    try {
      user ??= await requestUser();
    } catch (error) {
      if (stored()) sayError(error, show);
      return;
    }
    showUser();
    showPanel(user.role === "admin" ? "view" : "forbidden");
    if (user.role === "admin") await reload();
  }

  /** Loads the data of the section. An error has a button to try again. */
  async function reload() {
    try {
      await prepare();
      await load();
    } catch (error) {
      sayError(error, reload);
    }
  }

  /** Hides the section if the user is no longer an administrator. */
  async function checkRole() {
    user = await requestUser();
    if (user.role === "admin") return;
    showUser();
    showPanel("forbidden");
    say(`${user.email} is no longer an administrator. Ask another administrator, or log in with another account.`, true);
  }

  const notAdmin = ({ role, email }) => (role === "admin" ? null : `${email} is not an administrator. The console is for administrators only.`);

  /** Shows an error of the form: inside the dialog, the message of the page is behind it. */
  function sayLoginError(error) {
    if (loginForm.parentElement !== loginDialog) return sayError(error);
    loginReason.textContent = messageOf(error);
    return undefined;
  }

  loginForm.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(loginForm.querySelector("button"), async () => {
      const isAgain = again !== null;
      if (!isAgain) say("Logging in…");
      try {
        const session = await logIn(loginEmail.value, loginPassword.value, notAdmin);
        user = session.user;
      } catch (error) {
        return sayLoginError(error);
      }
      loginForm.reset(); // leave no password in a hidden field
      showUser();
      say("");
      if (isAgain) return settle(true);
      await show();
      element("content").focus();
      return undefined;
    });
  });

  async function end() {
    await logOut();
    say("Logged out.");
  }
  onClick(element("logout"), end);
  onClick(element("switch-account"), end);

  onChange((session, reason) => {
    if (!session) {
      // With a reason, the session has ended by itself: a request that needs it shows the form above the section.
      if (reason && isOpen()) return;
      user = null;
      showPanel("login");
      if (reason) say(reason, true);
      loginEmail.focus();
    } else if (again && !session.user) {
      // Another tab has logged in again.
      settle(true);
    } else if (!user) {
      // Another tab has logged in. A login in this tab continues by itself.
      if (!session.user) show().catch(sayError);
    }
  });

  // A page of the console stays open, with its input, while the server is unreachable.
  document.querySelector(".sections").addEventListener("click", async (event) => {
    const target = /** @type {HTMLElement} */ (event.target).closest("a");
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const follow = async () => {
      await fetch(url("/health/live"), { cache: "no-store" });
      location.assign(target.href);
    };
    follow().catch((error) => sayError(error, follow));
  });

  /** Registers the function that loads the data of the section, and starts the page. */
  function start(section) {
    load = section;
    return show().catch(sayError);
  }

  /** Returns the administrator who is logged in. */
  const currentUser = () => user;

  // On a narrow screen, the sections are a row that can be scrolled.
  const sections = document.querySelector(".sections");
  const current = /** @type {HTMLElement} */ (sections.querySelector("[aria-current]"));
  function centerSection() {
    if (current) sections.scrollLeft = current.offsetLeft - (sections.clientWidth - current.offsetWidth) / 2;
  }
  addEventListener("resize", centerSection);
  centerSection();

  return {
    accountId, age, beforeLoad, breakable, busy, call, clear, confirm, consumerCell, consumerKey, consumerName, contract, copy, count, create, currentUser, day, daysUntil, download, element, isMeasured, isSample, json, latencyText,
    link, milliseconds, nameLink, named, number, onClick, operations, poll, reload, sampleTag, say, sayError, start, time, url, userLink, visible,
  };
})();
