// Tests /console in Chromium: log in, filter, view, export, resolve and delete incidents. Fails on any request to another
// host, on any violation of the content security policy, and on any error in a page.
//
//   node console.mjs BASE_URL [SCREENSHOT_DIR]
//
//   ADMIN_EMAIL, ADMIN_PASSWORD   credentials of an administrator
//   CHROMIUM                      default /usr/bin/chromium
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { watch } from './watch.mjs';

const [base, shots] = process.argv.slice(2);
const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password, CHROMIUM } = process.env;
if (!base || !email || !password) {
  console.error('usage: ADMIN_EMAIL=… ADMIN_PASSWORD=… node console.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const origin = new URL(base).origin;
const passed = [];

const browser = await chromium.launch({
  executablePath: CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run', '--disable-quic'],
});

async function check(name, body) {
  const started = Date.now();
  try {
    await body();
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
  passed.push(`${name} (${Date.now() - started} ms)`);
}

async function shot(page, name) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `console-${name}.png`), fullPage: true });
}

// ---- test data -----------------------------------------------------------------------------------------------------

const json = { 'Content-Type': 'application/json' };
const logIn = async (account) => {
  const response = await fetch(`${origin}/v2/auth/login`, { method: 'POST', headers: json, body: JSON.stringify(account) });
  assert.equal(response.status, 200, await response.clone().text());
  return { Authorization: `Bearer ${(await response.json()).access_token}` };
};
const admin = await logIn({ email, password });
// X-Debug-Capture of an administrator captures any request.
const capture = async (path, options = {}) => {
  const headers = { ...admin, 'X-Debug-Capture': '1', ...options.headers };
  const response = await fetch(origin + path, { ...options, headers });
  const request = response.headers.get('X-Request-ID');
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await (await fetch(`${origin}/v2/admin/incidents?request_id=${request}`, { headers: admin })).json();
    if (found.data.length) return found.data[0];
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`${path} was not captured`);
};
const hostile = await capture('/v2/bucketlists/1?include=items', { headers: { 'User-Agent': '<img src=x onerror=alert(1)>{{title}}' } });
const binary = await capture('/v2/bucketlists', { method: 'POST', headers: { ...json, 'Content-Encoding': 'gzip' }, body: gzipSync('{"name": "x"}') });

// ---- the page ---------------------------------------------------------------------------------------------------------

const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
const page = await context.newPage();
page.setDefaultTimeout(15_000);
const notice = page.locator('#notice');
const rows = page.locator('#rows tr');
const row = ({ id }) => page.locator('#rows tr', { has: page.locator(`a[href="#${id}"]`) });

async function submitLogin(account) {
  await page.fill('#login-email', account.email);
  await page.fill('#login-password', account.password);
  await page.click('#login button');
}

async function filter(values) {
  for (const [name, value] of Object.entries(values)) {
    const field = page.locator(`#filters [name=${name}]`);
    if (name === 'resolved') await field.selectOption(value);
    else await field.fill(value);
  }
  await page.click('#filters button[type=submit]');
}

async function show({ id }) {
  await page.goto(`${origin}/console#${id}`);
  await page.locator('#incident').waitFor();
  assert.match(await page.locator('#title').innerText(), new RegExp(`^#${id} `));
}

async function downloads(target, count = 1) {
  const files = [];
  const all = new Promise((resolve) => {
    page.on('download', function take(download) {
      files.push(download);
      if (files.length === count) {
        page.off('download', take);
        resolve();
      }
    });
  });
  await page.click(`[data-export=${target}]`);
  await all;
  return Promise.all(files.map(async (file) => ({ name: file.suggestedFilename(), bytes: await readFile(await file.path()) })));
}

const loggedOut = async () => {
  assert.ok(await page.locator('#login').isVisible());
  assert.ok(await page.locator('#list').isHidden() && await page.locator('#incident').isHidden());
};

try {
  const trouble = await watch(page, origin);
  const response = await page.goto(`${origin}/console`, { waitUntil: 'load' });
  await check('without a session only the login form is visible', async () => {
    const csp = response.headers()['content-security-policy'];
    assert.match(csp, /default-src 'none'/);
    assert.doesNotMatch(csp, /unsafe|data:/);
    await loggedOut();
    await shot(page, 'login');
  });
  await check('a wrong password and a user without the admin role are rejected', async () => {
    await submitLogin({ email, password: `${password}-wrong` });
    await page.locator('#notice.error').waitFor();
    await loggedOut();
    const visitor = { email: `console-${Date.now()}@example.com`, password: 'harbour-lantern-42' };
    assert.equal((await page.request.post(`${origin}/v2/auth/register`, { data: { ...visitor, name: 'Visitor' } })).status(), 201);
    await submitLogin(visitor);
    await page.locator('#notice', { hasText: 'not an administrator' }).waitFor();
    await loggedOut();
    const session = await logIn(visitor);
    await fetch(`${origin}/v2/users/me`, { method: 'DELETE', headers: { ...session, ...json }, body: JSON.stringify({ password: visitor.password }) });
  });
  await check('an administrator sees the list, in both colour schemes and on a phone', async () => {
    await submitLogin({ email, password });
    await row(hostile).waitFor();
    assert.equal(await page.inputValue('#login-password'), '');
    assert.equal(await page.locator('#session-user').innerText(), email);
    await shot(page, 'list');
    await page.emulateMedia({ colorScheme: 'dark' });
    await shot(page, 'list-dark');
    await page.setViewportSize({ width: 375, height: 740 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, 'the page scrolls horizontally on a phone');
    await shot(page, 'list-phone');
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  });
  await check('filters select incidents', async () => {
    await filter({ request_id: binary.request_id });
    await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 1);
    assert.ok(await row(binary).isVisible());
    await filter({ code: 'NO_SUCH_CODE' });
    await page.locator('#empty').waitFor();
    await filter({ status: '42' });
    assert.equal(await rows.count(), 0, 'an invalid status is not sent');
    await page.click('#filters button[type=reset]');
    await row(hostile).waitFor();
  });
  await check('an incident is displayed as captured, without interpreting markup', async () => {
    await row(hostile).locator('a').click();
    await page.locator('#incident').waitFor();
    const request = await page.locator('#request').innerText();
    assert.ok(request.startsWith('GET /v2/bucketlists/1?include=items\n'), request);
    assert.ok(request.includes('<img src=x onerror=alert(1)>{{title}}'), request);
    assert.ok((await page.locator('#response').innerText()).startsWith('404\n'));
    assert.equal(await page.locator('#incident img').count(), 0);
    await shot(page, 'incident');
  });
  await check('a replay report shows the differences', async () => {
    const outcome = { request_id: hostile.request_id, replayed: { status: 200, code: null }, reproduced: false, fixed: true, contract_violations: [], not_sent: null,
      differences: [{ location: 'status', captured: '422', replayed: '200' }, { location: '/x', captured: '<b>', replayed: '1' }] };
    const report = { against: 'http://localhost', outcomes: [outcome] };
    await page.setInputFiles('#report', { name: 'report.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(report)) });
    await page.locator('#differences').waitFor();
    assert.match(await page.locator('#replay-result').innerText(), /Against http:\/\/localhost: 200\. Fixed\./);
    assert.equal(await page.locator('#differences tbody tr').count(), 2);
    await shot(page, 'replay');
    await page.setInputFiles('#report', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
    await page.locator('#notice', { hasText: 'not a replay report' }).waitFor();
  });
  await check('an incident is exported for Postman, curl and HAR', async () => {
    const [collection] = await downloads('postman');
    assert.equal(collection.name, `incident-${hostile.id}.postman_collection.json`);
    assert.equal(JSON.parse(collection.bytes).item.length, 1);
    const [command] = await downloads('curl');
    assert.equal(command.name, `incident-${hostile.id}.sh`);
    assert.match(command.bytes.toString(), /^curl -sS /);
    const [archive] = await downloads('har');
    assert.equal(JSON.parse(archive.bytes).log.version, '1.2');
    await show(binary);
    const files = await downloads('postman', 2);
    const body = files.find(({ name }) => name === `incident-${binary.id}.body`);
    const captured = await (await fetch(`${origin}/v2/admin/incidents/${binary.id}`, { headers: admin })).json();
    assert.equal(body.bytes.toString('base64'), captured.request.body.base64);
    assert.match(await notice.innerText(), /working directory/);
  });
  await check('an incident is marked as resolved, found by its state, and marked as unresolved', async () => {
    await page.click('#resolve');
    await page.locator('#resolve', { hasText: 'Mark as unresolved' }).waitFor();
    await page.click('#incident a[href="#"]');
    await filter({ resolved: 'true' });
    await row(binary).waitFor();
    assert.equal(await row(binary).locator('.state').innerText(), 'resolved');
    await show(binary);
    await page.click('#resolve');
    await page.locator('#resolve', { hasText: 'Mark as resolved' }).waitFor();
  });
  await check('an incident is shown after a reload and deleted after confirmation', async () => {
    const stored = await page.evaluate(() => Object.keys(JSON.parse(sessionStorage.getItem('bucketlist-console-session'))).sort());
    assert.deepEqual(stored, ['access_token', 'expires_at', 'refresh_token'], 'no data about the user');
    await page.reload({ waitUntil: 'load' });
    await page.locator('#incident').waitFor();
    assert.equal(await page.locator('#session-user').innerText(), email);
    page.once('dialog', (dialog) => dialog.dismiss());
    await page.click('#delete');
    assert.ok(await page.locator('#incident').isVisible());
    page.once('dialog', (dialog) => dialog.accept());
    const listed = page.waitForResponse((response) => response.url() === `${origin}/v2/admin/incidents`);
    await page.click('#delete');
    await listed;
    await page.waitForLoadState('networkidle');
    await page.locator('#notice', { hasText: 'deleted' }).waitFor();
    assert.equal(new URL(page.url()).hash, '');
    assert.equal(await row(binary).count(), 0);
    await page.goto(`${origin}/console#${binary.id}`);
    await page.locator('#notice.error').waitFor();
    assert.ok(await page.locator('#incident').isHidden());
  });
  await check('a rejected access token is refreshed, and logout clears the storage', async () => {
    await page.evaluate(() => {
      const session = JSON.parse(sessionStorage.getItem('bucketlist-console-session'));
      sessionStorage.setItem('bucketlist-console-session', JSON.stringify({ ...session, access_token: 'no.longer.valid' }));
    });
    await show(hostile);
    await page.click('#logout');
    await page.locator('#notice', { hasText: 'Logged out.' }).waitFor();
    await loggedOut();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
  trouble.assertNone();
  await fetch(`${origin}/v2/admin/incidents/${hostile.id}`, { method: 'DELETE', headers: admin });
  for (const line of passed) console.log(`ok  ${line}`);
} catch (error) {
  for (const line of passed) console.log(`ok  ${line}`);
  await shot(page, 'failed');
  console.error(`FAILED  ${error.message}`);
  if (process.env.DEBUG) console.error(error.cause?.stack ?? error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
