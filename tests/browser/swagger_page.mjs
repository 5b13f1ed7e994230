// Page object for /docs: log in, execute an operation, read the response.
import assert from 'node:assert/strict';

const STORAGE_KEY = 'bucketlist-session';

export class SwaggerPage {
  constructor(page) {
    this.page = page;
  }

  /** Waits until the document is rendered and a stored session, if any, is applied. */
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

  /** Waits until the bar shows this user; null for no session. */
  async expectUser(email) {
    if (email === null) return this.page.locator('#login').waitFor();
    await this.page.waitForFunction((expected) => {
      const user = document.getElementById('session-user');
      return user.offsetParent !== null && user.textContent.toLowerCase() === expected.toLowerCase();
    }, email).catch(async () => {
      throw new Error(`the bar should show ${email}; it shows "${await this.page.locator('.bar').innerText()}"`);
    });
  }

  /** Selects an API version. The session stays the same. */
  async choose(contract) {
    await this.page.locator('.chooser').getByRole('link', { name: contract, exact: true }).click();
    await this.page.locator(`.chooser [aria-current="page"][data-contract="${contract}"]`).waitFor();
    await this.ready();
  }

  async accessToken() {
    return this.page.evaluate((key) => JSON.parse(localStorage.getItem(key)).access_token, STORAGE_KEY);
  }

  /** Returns the stored session. */
  async storedSession() {
    return this.page.evaluate((key) => JSON.parse(localStorage.getItem(key)), STORAGE_KEY);
  }

  /** Changes the stored session. */
  async changeStoredSession(change) {
    await this.page.evaluate(([key, values]) => {
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), ...values }));
    }, [STORAGE_KEY, change]);
  }

  /** Records method, path and status of every API request. */
  record() {
    const seen = [];
    const listener = (response) => {
      const { pathname } = new URL(response.url());
      if (/^\/v\d+\//.test(pathname)) seen.push(`${response.request().method()} ${pathname} ${response.status()}`);
    };
    this.page.on('response', listener);
    return { stop: () => { this.page.off('response', listener); return seen; } };
  }

  /** Opens an operation. Returns its block. */
  async open(operationId) {
    const block = this.page.locator(`.opblock[id$="-${operationId}"]`);
    await block.waitFor();
    if (!/is-open/.test(await block.getAttribute('class'))) await block.locator('.opblock-summary-control').click();
    await block.locator('.btn.execute').waitFor();
    return block;
  }

  /**
   * Executes an operation with the examples of the document. `parameters` overrides parameters by name, `body` members of the body;
   * it can be a function of the example. `shown` is called with the operation while the response is displayed.
   * Returns the displayed response.
   */
  async execute(operationId, { parameters = {}, body = null, shown: onShown } = {}) {
    const block = await this.open(operationId);
    const execute = block.locator('.btn.execute');
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
      // The example must be valid JSON.
      const example = JSON.parse(await text.inputValue());
      sent = { ...example, ...(typeof body === 'function' ? body(example) : body) };
      if (body) await text.fill(JSON.stringify(sent, null, 2));
    } else {
      assert.equal(body, null, `${operationId} has no request body to fill in`);
    }
    await execute.click();
    // Swagger UI marks invalid fields and sends nothing: fail instead of timing out.
    const shown = block.locator('.live-responses-table tbody .response-col_status').first();
    const invalid = block.locator('.opblock-section input.invalid, .opblock-section textarea.invalid').first();
    await shown.or(invalid).first().waitFor();
    assert.ok(await shown.count(), `${operationId}: the page rejects the input`);
    const status = Number.parseInt(await shown.innerText(), 10);
    const responseBody = block.locator('.live-responses-table .response-col_description .highlight-code pre').first();
    const received = (await responseBody.count()) ? await responseBody.innerText() : '';
    let json = null;
    try { json = JSON.parse(received); } catch { /* no body, or not JSON */ }
    await onShown?.(block);
    // Closed without a real click, which waits for the animation to end.
    await block.locator('.opblock-summary-control').evaluate((control) => control.click());
    return { status, body: received, json, sent };
  }
}
