// The documentation page, in a user's words: log in, execute an operation, read the answer.
import assert from 'node:assert/strict';

const STORAGE_KEY = 'bucketlist-docs-session';

export class SwaggerPage {
  constructor(page) {
    this.page = page;
  }

  /** Loaded, the document parsed, and a stored session (if any) in use. */
  async ready() {
    await this.page.locator('.opblock').first().waitFor();
    await this.page.waitForFunction((key) => {
      if (!localStorage.getItem(key)) return true;
      return document.querySelector('.btn.authorize.locked') && document.getElementById('session-user').textContent;
    }, STORAGE_KEY);
  }

  async loggedInAs() {
    return (await this.page.locator('#session').isVisible()) ? this.page.locator('#session-user').innerText() : null;
  }

  async submitLogin(email, password) {
    await this.page.locator('#login-email').fill(email);
    await this.page.locator('#login-password').fill(password);
    await this.page.getByRole('button', { name: 'Log in', exact: true }).click();
  }

  async logIn(email, password) {
    await this.logOut();
    await this.submitLogin(email, password);
    await this.expectUser(email);
  }

  async logOut() {
    if (!(await this.page.locator('#session').isVisible())) return;
    await this.page.getByRole('button', { name: 'Log out', exact: true }).click();
    await this.expectUser(null);
  }

  /** Waits until the bar shows this user, or nobody. */
  async expectUser(email) {
    if (email === null) return this.page.locator('#login').waitFor();
    await this.page.waitForFunction((expected) => {
      const user = document.getElementById('session-user');
      return user.offsetParent !== null && user.textContent.toLowerCase() === expected.toLowerCase();
    }, email).catch(async () => {
      throw new Error(`the bar should show ${email}; it says "${await this.page.locator('.bar').innerText()}"`);
    });
  }

  /** The page shows this contract, under the same session. */
  async choose(contract) {
    await this.page.locator('.chooser').getByRole('link', { name: contract, exact: true }).click();
    await this.page.locator(`.chooser [aria-current="page"][data-contract="${contract}"]`).waitFor();
    await this.ready();
  }

  async accessToken() {
    return this.page.evaluate((key) => JSON.parse(localStorage.getItem(key)).access_token, STORAGE_KEY);
  }

  /** What the browser keeps of the session. */
  async storedSession() {
    return this.page.evaluate((key) => JSON.parse(localStorage.getItem(key)), STORAGE_KEY);
  }

  /** What time would do to the stored session. */
  async changeStoredSession(change) {
    await this.page.evaluate(([key, values]) => {
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), ...values }));
    }, [STORAGE_KEY, change]);
  }

  /** Method, path and status of every call of the API from now on. */
  record() {
    const seen = [];
    const listener = (response) => {
      const { pathname } = new URL(response.url());
      if (/^\/v\d+\//.test(pathname)) seen.push(`${response.request().method()} ${pathname} ${response.status()}`);
    };
    this.page.on('response', listener);
    return { stop: () => { this.page.off('response', listener); return seen; } };
  }

  /**
   * Executes an operation with its examples, except for what `input` overrides: `parameters` by name, and `body` members
   * (or a function from the example to those).
   * Returns what the page shows; `shown` gets the open operation while it still shows it.
   */
  async execute(operationId, { parameters = {}, body = null, shown: onShown } = {}) {
    const block = this.page.locator(`.opblock[id$="-${operationId}"]`);
    await block.waitFor();
    if (!/is-open/.test(await block.getAttribute('class'))) await block.locator('.opblock-summary-control').click();
    const execute = block.locator('.btn.execute');
    await execute.waitFor();
    const clear = block.locator('.btn-clear');
    if (await clear.isVisible()) {
      await clear.click();
      await block.locator('.live-responses-table').waitFor({ state: 'detached' });
    }
    for (const [name, value] of Object.entries(parameters ?? {})) {
      const field = block.locator(`tr[data-param-name="${name}"] input`);
      await field.fill(String(value));
      assert.equal(await field.inputValue(), String(value));
    }
    const text = block.locator('.opblock-section-request-body textarea');
    let sent = null;
    if (await text.count()) {
      // The example must be usable as it stands: valid JSON, not a placeholder.
      const example = JSON.parse(await text.inputValue());
      sent = { ...example, ...(typeof body === 'function' ? body(example) : body) };
      if (body) await text.fill(JSON.stringify(sent, null, 2));
    } else {
      assert.equal(body, null, `${operationId} has no request body to fill in`);
    }
    await execute.click();
    // Swagger UI leaves invalid fields red and sends nothing: say so instead of timing out.
    const shown = block.locator('.live-responses-table tbody .response-col_status').first();
    const invalid = block.locator('.opblock-section input.invalid, .opblock-section textarea.invalid').first();
    await shown.or(invalid).first().waitFor();
    assert.ok(await shown.count(), `${operationId}: the page refuses the input`);
    const status = Number.parseInt(await shown.innerText(), 10);
    const answer = block.locator('.live-responses-table .response-col_description .highlight-code pre').first();
    const received = (await answer.count()) ? await answer.innerText() : '';
    let json = null;
    try { json = JSON.parse(received); } catch { /* no body, or none in JSON */ }
    await onShown?.(block);
    await block.locator('.opblock-summary-control').click();
    return { status, body: received, json, sent };
  }
}
