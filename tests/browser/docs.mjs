// Drives the human pages in Chromium, as a developer would: reads `/` and `/redoc`, opens `/docs`, logs in once, and executes every
// operation of each document with "Try it out". Fails on any request to another host, on any violation of the content
// security policy, on any error in a page, and on any status that was not expected.
//
//   node docs.mjs BASE_URL [SCREENSHOT_DIR]
//
//   DEMO_EMAIL, DEMO_PASSWORD     the account to log in with; default: what the bar is prefilled with (development)
//   ADMIN_EMAIL, ADMIN_PASSWORD   for the administrators' operations; without it they must be refused with 403
//   CHROMIUM                      default /usr/bin/chromium
//
// It creates what it needs and deletes it again; accounts are throw-away ones at @example.com.
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

/** Of a page, or of a part of one. */
async function shot(page, name, options = {}) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), ...options });
}

async function check(what, body) {
  const started = Date.now();
  try {
    await body();
  } catch (error) {
    throw new Error(`${what}: ${error.message}`, { cause: error });
  }
  passed.push(`${what} (${Date.now() - started} ms)`);
}

async function landingPage() {
  const { page, trouble, response } = await open('/');
  assert.doesNotMatch(response.headers()['content-security-policy'] ?? '', /unsafe/);
  assert.match(response.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  assert.ok((await page.locator('h1').count()) === 1, 'exactly one h1');
  assert.ok((await page.locator('pre code').first().innerText()).includes(origin), 'the commands name this server');
  // Every local link leads somewhere: 503 is an honest answer of /health/ready.
  for (const href of await page.locator('a[href^="/"]').evaluateAll((all) => [...new Set(all.map((a) => a.pathname))])) {
    const status = (await page.request.get(origin + href)).status();
    assert.ok(status === 200 || (status === 503 && href === '/health/ready'), `${href} answers ${status}`);
  }
  for (const path of ['/robots.txt', '/favicon.svg']) assert.equal((await page.request.get(origin + path)).status(), 200, path);
  await shot(page, 'home-light', { fullPage: true });
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'home-dark', { fullPage: true });
  await page.setViewportSize({ width: 375, height: 740 });
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(sideways, 0, 'the landing page scrolls sideways on a phone');
  await shot(page, 'home-phone', { fullPage: true });
  trouble.assertNone();
  await page.context().close();
}

/** Logging in, staying logged in, and what happens to a session that expires. */
async function session(docs, demo, contract, trouble) {
  const { page } = docs;
  await check('a wrong password is explained in the bar', async () => {
    await docs.submitLogin(demo.email, `${demo.password}-wrong`);
    const notice = page.locator('#notice.error');
    await notice.waitFor();
    assert.match(await notice.innerText(), /\w+ \w+/);
    assert.equal(await docs.loggedInAs(), null);
  });
  await check('log in once', async () => {
    await docs.logIn(demo.email, demo.password);
    await shot(page, `docs-${contract}-logged-in`);
  });
  await check('a secured call works, and still does after a reload', async () => {
    assert.equal((await docs.execute('getMe')).status, 200);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  await check('a refused access token is renewed and the call repeated', async () => {
    const refused = { status: 401, contentType: 'application/json', body: '{}' };
    await page.route(`**/${contract}/users/me`, (route) => route.fulfill(refused), { times: 1 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(seen.stop(), [`GET /${contract}/users/me 401`, 'POST /v1/auth/refresh 200', `GET /${contract}/users/me 200`]);
  });
  await check('an access token about to expire is renewed beforehand', async () => {
    await docs.changeStoredSession({ expires_at: Date.now() - 1000 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(seen.stop(), ['POST /v1/auth/refresh 200', `GET /${contract}/users/me 200`]);
  });
  await check('of the session its tokens are kept, and nothing about the user, whom a reload asks for', async () => {
    assert.deepEqual(Object.keys(await docs.storedSession()).sort(), ['access_token', 'expires_at', 'refresh_token']);
    const seen = docs.record();
    await docs.changeStoredSession({ access_token: 'no.longer.valid' });
    // The bar has a name as soon as the session is renewed: the last answer may come later.
    const asked = page.waitForResponse((response) => response.url().endsWith('/v1/users/me') && response.status() === 200);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
    await asked;
    assert.deepEqual(seen.stop(), ['GET /v1/users/me 401', 'POST /v1/auth/refresh 200', 'GET /v1/users/me 200']);
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  trouble.assertNone();
}

/** What an executed operation looks like, in both colour schemes. */
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
  assert.deepEqual(failed.map((row) => row.operation), [], 'operations that did not answer as expected');
  trouble.assertNone();
}

/** What the server says it serves. */
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

/** Every operation is there to be read, by an address of its own, without a word to another host. */
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
    assert.ok(text.includes(summary), `${operationId}: "${summary}" is not said`);
  }
  await page.locator(`.chooser [aria-current="page"][data-contract="${contract}"]`).waitFor();
  assert.equal(await page.locator('#elsewhere').getAttribute('href'), `/docs?contract=${contract}`);
  await shot(page, `redoc-${contract}`);

  // The menu leads to addresses that lead back.
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
  }, id).catch(() => { throw new Error(`#${id} does not lead to ${last}`); });
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
