// Adapts the document and the components of Swagger UI: optional parameters are empty, error responses are grouped, the filter ignores case,
// operations are not covered by the header, and everything can be reached with the keyboard.
"use strict";

window.BucketListDocs = (() => {
  const METHODS = ["get", "put", "post", "patch", "delete"];
  /** Paths of operations that accept an Idempotency-Key, as regular expressions with their method. */
  const idempotent = [];
  /** Paths of resources as regular expressions, with their path parameters as groups. */
  const resources = [];

  const show = (value) => (typeof value === "string" ? value : JSON.stringify(value));

  /**
   * Moves the examples of optional parameters to their descriptions: Swagger UI fills in and sends examples, which as filters and conditions
   * would hide the data of the user.
   */
  function prepareParameter(parameter) {
    if (parameter.required) return parameter;
    const { example, ...rest } = parameter;
    if (example === undefined || example === "") return rest;
    return { ...rest, description: `${parameter.description ?? ""}\n\nExample: \`${show(example)}\`` };
  }

  /** Returns the document as displayed. */
  function prepare(document) {
    const [{ url: base = "" } = {}] = [...(document.servers ?? [])].reverse();
    for (const [path, item] of Object.entries(document.paths)) {
      const escaped = (base + path).replace(/[.*+?^$()|[\]\\]/g, "\\$&");
      resources.push(new RegExp(`^${escaped.replace(/\{([^}]+)\}/g, "(?<$1>\\d+)")}$`));
      for (const method of METHODS.filter((name) => item[name])) {
        const operation = item[method];
        if (operation.parameters?.some(({ name }) => name === "Idempotency-Key")) {
          idempotent.push({ method: method.toUpperCase(), path: new RegExp(`^${escaped.replace(/\{[^}]+\}/g, "[^/]+")}$`) });
        }
        operation.parameters = operation.parameters?.map(prepareParameter);
        for (const response of Object.values(operation.responses)) delete response.headers;
      }
    }
    return document;
  }

  function randomKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Adds a new Idempotency-Key to each request of an operation that accepts one, unless the user has entered one. */
  function addIdempotencyKey(request, path) {
    const accepts = idempotent.some((known) => known.method === request.method?.toUpperCase() && known.path.test(path));
    if (!accepts || request.headers["Idempotency-Key"]) return;
    const key = `"${randomKey()}"`;
    window.BucketListHistory.addedKeys.add(key);
    request.headers["Idempotency-Key"] = key;
  }

  /** The IDs of the last created resources, by path parameter. */
  const created = {};

  /**
   * Fills the IDs of a created resource, which its Location has, into the path parameters of all operations. A parameter that the user has
   * changed stays as it is.
   */
  function fillIds(ui, location) {
    const { pathname } = new URL(location, window.location.href);
    const ids = resources.map((path) => pathname.match(path)?.groups).find(Boolean) ?? {};
    for (const [path, item] of ui.specSelectors.specJsonWithResolvedSubtrees().get("paths")) {
      for (const method of METHODS.filter((name) => item.has(name))) {
        for (const parameter of item.getIn([method, "parameters"]) ?? []) {
          const name = parameter.get("name");
          if (parameter.get("in") !== "path" || !(name in ids)) continue;
          const shown = ui.specSelectors.parameterWithMetaByIdentity([path, method], parameter).get("value");
          if (shown !== undefined && ![parameter.get("example"), created[name]].some((value) => String(value) === String(shown))) continue;
          ui.specActions.changeParam([path, method], name, "path", ids[name], false);
          // The field of an operation that has been opened.
          if (shown !== undefined) ui.specActions.changeParamByIdentity([path, method], parameter, ids[name], false);
        }
      }
    }
    Object.assign(created, ids);
  }

  // ---- components ---------------------------------------------------------------------------------------------------

  /** Returns the codes of an error response with the pages that explain them. */
  function codesOf(response) {
    const codes = new Map();
    for (const media of Object.values(response.content ?? {})) {
      const examples = media.examples ?? (media.example ? { example: { value: media.example } } : {});
      for (const { value } of Object.values(examples)) {
        const code = value?.code ?? value?.error?.code;
        if (code) codes.set(code, value.detail ?? value.error?.message ?? "");
      }
    }
    return [...codes];
  }

  const pageOf = (code) => window.BucketListPage.url(`/problems/${code.toLowerCase().replaceAll("_", "-")}`);

  /** Shows the responses of success as before, and all error responses as one list with links to their pages. */
  const groupErrors = (Original, { React }) => function Responses(props) {
    const e = React.createElement;
    const isError = (code) => /^[45]/.test(code);
    const errors = props.responses.filter((_, code) => isError(code));
    const rows = errors.entrySeq().toArray().map(([status, response]) => {
      const plain = response?.toJS?.() ?? {};
      const codes = codesOf(plain);
      const items = codes.map(([code, message]) => e("li", { key: code }, e("a", { href: pageOf(code) }, code), " ", message));
      return e("div", { key: status, className: "error-row" }, e("dt", null, status), e("dd", null, codes.length ? e("ul", null, items) : plain.description));
    });
    const shown = props.responses.filterNot((_, code) => isError(code));
    return e("div", null,
      e(Original, { ...props, responses: shown }),
      rows.length > 0 && e("details", { className: "error-responses" },
        e("summary", null, `Error responses (${errors.keySeq().join(", ")})`), e("dl", null, rows)));
  };

  /** Returns the words of a tag: `API clients` for `ApiClients`. */
  function tagTitle(tag) {
    const [first, ...rest] = tag.split(/(?=[A-Z])/);
    return [first === "Api" ? "API" : first, ...rest.map((word) => word.toLowerCase())].join(" ");
  }

  /** Shows the path of an operation, or its tag. As a link inside a button, it could not be operated. */
  const plainText = (_, { React }) => ({ text }) => React.createElement("span", null, typeof text === "string" && !text.startsWith("/") ? tagTitle(text) : text);

  /** On a phone, the description of the API is closed, so that the operations are within reach. */
  const collapseInfo = (Original, { React }) => function InfoContainer(props) {
    const e = React.createElement;
    const info = e(Original, props);
    if (!matchMedia("(max-width: 48rem)").matches) return info;
    return e("details", { className: "about wrapper" }, e("summary", null, "About the API"), info);
  };

  /** Returns the operations that match, by tag, path, operation ID or summary, regardless of case. */
  function filterOperations(tagged, phrase) {
    const wanted = phrase.trim().toLowerCase();
    const matches = (operation) => [operation.get("path"), operation.getIn(["operation", "operationId"]), operation.getIn(["operation", "summary"])]
      .some((text) => text?.toLowerCase().includes(wanted));
    return tagged
      .map((group, tag) => ([tag, tagTitle(tag)].some((name) => name.toLowerCase().includes(wanted)) ? group : group.update("operations", (all) => all.filter(matches))))
      .filter((group) => group.get("operations").size > 0);
  }

  /** Returns a command that logs in and sets `TOKEN`. */
  const TOKEN_COMMAND = () => `TOKEN=$(curl -fsS "${location.origin}${window.BucketListPage.url("/v2/auth/login")}" \\
  --json '{"email": "EMAIL", "password": "PASSWORD"}' \\
  | sed -E 's/.*"access_token": *"([^"]+)".*/\\1/')`;

  /** Shows a received response, and a link to the page that explains its error code. */
  const linkErrorPage = (Original, { React }) => function LiveResponse(props) {
    const e = React.createElement;
    let code = null;
    try {
      const body = JSON.parse(props.response.get("text"));
      code = body.code ?? body.error?.code;
    } catch { /* not JSON */ }
    const isError = props.response.get("status") >= 400 && /^[A-Z0-9_]+$/.test(code ?? "");
    return e("div", null, e(Original, props),
      isError && e("p", { className: "error-page" }, "About this error: ", e("a", { href: pageOf(code) }, code)));
  };

  /** Shows the sent request as curl, with the token as a variable, in place of a command that contains the token. */
  const curlWithoutToken = (_, { React }) => function Curl({ request }) {
    const e = React.createElement;
    const place = React.useRef(null);
    const text = window.BucketListHistory.curl(request.toJS());
    React.useEffect(() => {
      const button = window.BucketListHistory.copyButton(() => text, "this request");
      place.current.replaceChildren(...(button ? [button] : []));
    }, [text]);
    return e("div", { className: "curl-command" }, e("h4", null, "Curl"),
      e("pre", { className: "curl microlight", tabIndex: 0 }, text), e("div", { className: "curl-copy", ref: place }),
      text.includes("$TOKEN") && e("p", { className: "curl-token" }, e("code", null, "TOKEN"), " is your access token. Set it with:"),
      text.includes("$TOKEN") && e("pre", { className: "curl microlight", tabIndex: 0 }, TOKEN_COMMAND()));
  };

  const plugin = () => ({
    fn: { opsFilter: filterOperations },
    wrapComponents: { responses: groupErrors, liveResponse: linkErrorPage, curl: curlWithoutToken, DeepLink: plainText, InfoContainer: collapseInfo },
    statePlugins: {
      layout: {
        // Like the original, but with the margin that CSS reserves for the header.
        wrapActions: { scrollToElement: () => (target) => target.scrollIntoView() },
      },
    },
  });

  // ---- accessibility ------------------------------------------------------------------------------------------------

  /** Adds the names and roles that Swagger UI omits, also to operations that are opened later. */
  function repair(root) {
    const each = (selector, change) => root.querySelectorAll(selector).forEach(change);
    const name = (selector, text) => each(`${selector}:not([aria-label])`, (element) => {
      element.setAttribute("aria-label", typeof text === "function" ? text(element) : text);
    });
    each(".operation-filter-input", (input) => { input.placeholder = "Filter operations";
      input.title = "Filters by tag, path, operation ID or summary"; });
    name(".operation-filter-input", "Filter operations");
    each("h3", (title) => {
      if (title.textContent.trim() === "No operations defined in spec!") title.textContent = "Nothing matches the filter. Remove it, or check its spelling.";
    });
    name(".parameters-col_description :is(input, select, textarea)", (input) => input.closest("[data-param-name]")?.dataset.paramName ?? "Value");
    name(".opblock-section-request-body :is(textarea, select)", (input) => (input.tagName === "SELECT" ? "Media type of the request" : "Request body"));
    name(".response-control-media-type select", "Media type of the response");
    name(".responses-wrapper select", "Media type");
    name(".servers select", "Server");
    name(".copy-to-clipboard button, .copy-to-clipboard:not(:has(button))", "Copy");
    name(".responses-table", (table) => `Responses of ${table.closest(".opblock")?.id.split("-").at(-1) ?? "the operation"}${table.classList.contains("live-responses-table") ? ", received" : ""}`);
    name(".btn.authorize, .authorization__btn", (button) => (button.classList.contains("authorize") ? "Authorize" : "Authorization of this operation"));
    each(".model-box-control:not([aria-label])", (button) => {
      // With text, that is its name.
      if (!button.textContent.trim()) button.setAttribute("aria-label", "Show or hide the schema");
    });
    name(".close-modal", "Close");
    each("pre.microlight, .highlight-code > pre, pre.example, .curl", (pre) => { pre.tabIndex = 0; });
    each(".copy-to-clipboard:not(:has(button))", (control) => {
      if (control.tabIndex === 0) return;
      control.tabIndex = 0;
      control.setAttribute("role", "button");
      control.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        (control.querySelector("svg, span") ?? control).dispatchEvent(new MouseEvent("click", { bubbles: true }));
      });
    });
  }

  /** Repairs the content now and after every change. */
  function watch(root) {
    let scheduled = false;
    const run = () => { scheduled = false; repair(root); };
    new MutationObserver(() => {
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(run);
    }).observe(root, { childList: true, subtree: true });
    run();
  }

  return { addIdempotencyKey, fillIds, plugin, prepare, watch };
})();
