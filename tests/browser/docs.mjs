// Tests `/`, `/redoc` and `/docs` in Chromium: logs in to /docs once and executes every operation of each document with "Try it
// out". Fails on any request to another host, on any violation of the content security policy, on any error in a page, and on
// any unexpected status.
//
//   node docs.mjs BASE_URL [SCREENSHOT_DIR]
//
//   DEMO_EMAIL, DEMO_PASSWORD     the account to log in with; default: the prefilled one (development)
//   ADMIN_EMAIL, ADMIN_PASSWORD   for administrative operations; without it they must return 403
//   CHROMIUM                      default /usr/bin/chromium
//
// Creates the resources it needs and deletes them. Accounts are at @example.com.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { watch } from './watch.mjs';
import { SwaggerPage } from './swagger_page.mjs';
import { firstClicks, plan } from './plan.mjs';

const [base, shots] = process.argv.slice(2);
if (!base) {
  console.error('usage: node docs.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const env = process.env;
const origin = new URL(base).origin;
const passed = [];

const browser = await chromium.launch({
  executablePath: env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run', '--disable-quic'],
});

async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const trouble = await watch(page, origin);
  const response = await page.goto(origin + path, { waitUntil: 'load' });
  assert.equal(response.status(), 200, path);
  return { page, trouble, response };
}

/** Takes a screenshot of a page or an element. */
async function shot(page, name, options = {}) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), ...options });
}

async function check(name, body) {
  const started = Date.now();
  try {
    await body();
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
  passed.push(`${name} (${Date.now() - started} ms)`);
}

async function landingPage() {
  const { page, trouble, response } = await open('/');
  assert.doesNotMatch(response.headers()['content-security-policy'] ?? '', /unsafe/);
  assert.match(response.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  assert.ok((await page.locator('h1').count()) === 1, 'exactly one h1');
  assert.ok((await page.locator('pre code').first().innerText()).includes(origin), 'the commands name this server');
  // Every local link works. /health/ready may return 503.
  for (const href of await page.locator('a[href^="/"]').evaluateAll((all) => [...new Set(all.map((a) => a.pathname))])) {
    const status = (await page.request.get(origin + href)).status();
    assert.ok(status === 200 || (status === 503 && href === '/health/ready'), `${href} returned ${status}`);
  }
  for (const path of ['/robots.txt', '/favicon.svg']) assert.equal((await page.request.get(origin + path)).status(), 200, path);
  await shot(page, 'home-light', { fullPage: true });
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'home-dark', { fullPage: true });
  await page.setViewportSize({ width: 375, height: 740 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, 'the landing page scrolls horizontally on a phone');
  await shot(page, 'home-phone', { fullPage: true });
  trouble.assertNone();
  await page.context().close();
}

/** Login, persistence of the session, and its refresh. */
async function session(docs, demo, contract, trouble) {
  const { page } = docs;
  await check('a wrong password shows an error message', async () => {
    await docs.submitLogin(demo.email, `${demo.password}-wrong`);
    const notice = page.locator('#notice.error');
    await notice.waitFor();
    assert.match(await notice.innerText(), /\w+ \w+/);
    assert.equal(await docs.loggedInAs(), null);
  });
  await check('one login applies to all operations', async () => {
    await docs.logIn(demo.email, demo.password);
    await shot(page, `docs-${contract}-logged-in`);
  });
  await check('an authenticated request works before and after a reload', async () => {
    assert.equal((await docs.execute('getMe')).status, 200);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  await check('a rejected access token is refreshed and the request is retried', async () => {
    const unauthorized = { status: 401, contentType: 'application/json', body: '{}' };
    await page.route(`**/${contract}/users/me`, (route) => route.fulfill(unauthorized), { times: 1 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(seen.stop(), [`GET /${contract}/users/me 401`, 'POST /v2/auth/refresh 200', `GET /${contract}/users/me 200`]);
  });
  await check('an access token is refreshed shortly before it expires', async () => {
    await docs.changeStoredSession({ expires_at: Date.now() - 1000 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(seen.stop(), ['POST /v2/auth/refresh 200', `GET /${contract}/users/me 200`]);
  });
  await check('only the tokens of the session are stored, and a reload requests the user', async () => {
    assert.deepEqual(Object.keys(await docs.storedSession()).sort(), ['access_token', 'expires_at', 'refresh_token']);
    const seen = docs.record();
    await docs.changeStoredSession({ access_token: 'no.longer.valid' });
    // The bar shows the user as soon as the session is refreshed; the last response can arrive later.
    const userLoaded = page.waitForResponse((response) => response.url().endsWith('/v2/users/me') && response.status() === 200);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
    await userLoaded;
    assert.deepEqual(seen.stop(), ['GET /v2/users/me 401', 'POST /v2/auth/refresh 200', 'GET /v2/users/me 200']);
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  trouble.assertNone();
}

/** Takes screenshots of an executed operation in both colour schemes. */
async function pictures(block, contract) {
  await shot(block, `docs-${contract}-executed`);
  await block.page().emulateMedia({ colorScheme: 'dark' });
  await shot(block, `docs-${contract}-executed-dark`);
  await block.page().emulateMedia({ colorScheme: 'light' });
}

async function everyOperation(docs, demo, contract, trouble) {
  const rows = [];
  const document = await (await docs.page.request.get(`${origin}/openapi/${contract}.json`)).json();
  const declared = Object.values(document.paths).flatMap((path) => Object.values(path)).map((it) => it?.operationId).filter(Boolean);
  const admin = env.ADMIN_EMAIL && { email: env.ADMIN_EMAIL, password: env.ADMIN_PASSWORD };
  const clicks = contract === 'v2' ? firstClicks({ docs, origin }) : [];
  const steps = [...clicks, ...plan({ docs, origin, demo, admin, contract })];

  const unplanned = declared.filter((id) => !steps.some((step) => step.id === id));
  const absent = [...new Set(steps.map((step) => step.id))].filter((id) => id && !declared.includes(id));
  for (const step of steps) {
    if (step.before) await step.before();
    if (!step.id || absent.includes(step.id)) continue;
    const input = typeof step.input === 'function' ? step.input() : step.input;
    let result;
    try {
      result = await docs.execute(step.id, { ...input, shown: step.id === 'createItem' ? (block) => pictures(block, contract) : null });
      await step.after?.(result);
    } catch (error) {
      rows.push({ operation: step.id, as: step.as, status: result?.status ?? '-', expected: step.expect.join(' | '), verdict: `FAILED: ${error.message.split('\n')[0]}` });
      await shot(docs.page, `failed-${contract}-${step.id}`);
      continue;
    }
    const ok = step.expect.includes(result.status);
    if (!ok) await shot(docs.page, `failed-${contract}-${step.id}`);
    rows.push({ operation: step.id, as: step.as, status: result.status, expected: step.expect.join(' | '), verdict: ok ? (step.note ?? 'ok') : `FAILED: ${result.body.slice(0, 160)}` });
  }
  console.table(rows);
  if (absent.length) console.log(`planned, but not in the document: ${absent.join(', ')}`);
  assert.deepEqual(unplanned, [], 'operations of the document without a plan (see plan.mjs)');
  const failed = rows.filter((row) => String(row.verdict).startsWith('FAILED'));
  assert.deepEqual(failed.map((row) => row.operation), [], 'operations with an unexpected response');
  trouble.assertNone();
}

/** Returns the API versions of the server. */
async function contracts() {
  const { contracts: served } = await (await fetch(`${origin}/version`)).json();
  assert.ok(served.length > 1, 'more than one contract');
  return served;
}

async function documentation(contract) {
  const { page, trouble, response } = await open('/docs');
  const csp = response.headers()['content-security-policy'] ?? '';
  assert.match(csp, /script-src 'self'/);
  assert.doesNotMatch(csp, /unsafe/);
  const docs = new SwaggerPage(page);
  await docs.ready();
  const demo = {
    email: env.DEMO_EMAIL ?? (await page.locator('#login-email').inputValue()),
    password: env.DEMO_PASSWORD ?? (await page.locator('#login-password').inputValue()),
  };
  assert.ok(demo.email && demo.password, 'no demo account: set DEMO_EMAIL and DEMO_PASSWORD');
  await docs.choose(contract);
  await shot(page, `docs-${contract}-light`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, `docs-${contract}-dark`);
  await page.emulateMedia({ colorScheme: 'light' });

  await session(docs, demo, contract, trouble);
  await everyOperation(docs, demo, contract, trouble);
  await page.setViewportSize({ width: 375, height: 740 });
  await page.reload({ waitUntil: 'load' });
  await docs.ready();
  await shot(page, `docs-${contract}-phone`);
  await page.context().close();
}

/** Every operation is displayed and has a URL. */
async function reference(contract) {
  const { page, trouble, response } = await open(`/redoc?contract=${contract}`);
  const csp = response.headers()['content-security-policy'] ?? '';
  assert.match(csp, /script-src 'self';/);
  assert.doesNotMatch(csp, /unsafe/);
  const document = await (await page.request.get(`${origin}/openapi/${contract}.json`)).json();
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path)).filter((it) => it?.operationId);
  const section = (id) => page.locator(`[data-section-id$="operation/${id}"]`);
  for (const { operationId, summary } of operations) {
    await section(operationId).first().waitFor({ state: 'attached' });
    const text = await section(operationId).first().innerText();
    assert.ok(text.includes(summary), `${operationId}: "${summary}" is not displayed`);
  }
  await page.locator(`.chooser [aria-current="page"][data-contract="${contract}"]`).waitFor();
  assert.equal(await page.locator('#other-page').getAttribute('href'), `/docs?contract=${contract}`);
  await shot(page, `redoc-${contract}`);

  // The menu changes the URL, and opening that URL scrolls to the operation.
  const menu = page.locator('.menu-content');
  const { operationId, summary, tags } = operations[1];
  await menu.getByText(tags[0], { exact: true }).click();
  await menu.getByText(summary, { exact: true }).click();
  await page.waitForFunction((id) => location.hash.endsWith(`operation/${id}`), operationId).catch(() => {
    throw new Error(`the address is ${page.url()} after a click on ${operationId}`);
  });
  const last = operations.at(-1).operationId;
  const id = await section(last).first().getAttribute('data-section-id');
  await page.goto('about:blank');
  await page.goto(`${origin}/redoc?contract=${contract}#${id}`, { waitUntil: 'load' });
  await page.waitForFunction((wanted) => {
    const box = document.querySelector(`[data-section-id="${wanted}"]`)?.getBoundingClientRect();
    return box && box.top < innerHeight && box.bottom > 0 && scrollY > 0;
  }, id).catch(() => { throw new Error(`#${id} does not scroll to ${last}`); });
  await shot(page, `redoc-${contract}-deep-link`);
  await page.setViewportSize({ width: 375, height: 740 });
  await shot(page, `redoc-${contract}-phone`);
  trouble.assertNone();
  await page.context().close();
}

try {
  await check('landing page', landingPage);
  for (const contract of await contracts()) {
    await check(`reference of ${contract}`, () => reference(contract));
    await check(`documentation of ${contract}`, () => documentation(contract));
  }
  for (const line of passed) console.log(`ok  ${line}`);
} catch (error) {
  for (const line of passed) console.log(`ok  ${line}`);
  console.error(`FAILED  ${error.message}`);
  if (env.DEBUG) console.error(error.cause?.stack ?? error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
