// Tests `/docs` in Chromium: logs in to /docs once and executes every operation of each document with "Try it
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
import { assertAccessible, focused, overflow, start } from './support.mjs';
import { SwaggerPage } from './swagger_page.mjs';
import { firstClicks, plan } from './plan.mjs';

const [base, shots] = process.argv.slice(2);
if (!base) {
  console.error('usage: node docs.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const env = process.env;
const { check, inspect, open, origin, run, shot } = await start({ base, shots, prefix: '' });
/** The viewers are not ours: moderate violations in them are accepted. */
const SERIOUS = ['serious', 'critical'];

/** Login, persistence of the session, and its refresh. */
async function session(docs, demo, contract, trouble) {
  const { page } = docs;
  await check('a wrong password shows an error message', async () => {
    await docs.submitLogin(demo.email, `${demo.password}-wrong`);
    const notice = page.locator('#notice.error');
    await notice.waitFor();
    assert.match(await notice.innerText(), /\w+ \w+/);
    assert.equal(await docs.loggedInAs(), null);
    assert.equal(await focused(page), 'login-password');
  });
  await check('one login applies to all operations', async () => {
    await docs.logIn(demo.email, demo.password);
    assert.equal(await focused(page), 'logout');
    await shot(page, `docs-${contract}-logged-in`);
  });
  await check('an authenticated request works before and after a reload', async () => {
    const shown = async (block) => {
      // The request, and the command that sets TOKEN.
      const [request, token] = await block.locator('.curl').allInnerTexts();
      assert.match(request, /"Authorization: Bearer \$TOKEN"/);
      assert.match(token, /^TOKEN=\$\(curl /);
      assert.ok(!(await block.innerHTML()).includes('eyJ'), 'the block contains the token');
      for (const colorScheme of ['dark', 'light']) {
        await page.emulateMedia({ colorScheme });
        await assertAccessible(page, `an executed operation, ${colorScheme}`, SERIOUS);
      }
    };
    assert.equal((await docs.execute('getMe', { shown })).status, 200);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  await check('the request history lists requests, and copies them as curl without the token', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
    await page.locator('#history summary').click();
    const newest = page.locator('#history li').first();
    assert.match(await newest.innerText(), new RegExp(`GET /${contract}/users/me\\s+200, \\d+ ms`));
    await newest.getByRole('button').click();
    await newest.getByText('Copied').waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(command, /^curl -X GET '.*\/users\/me'/);
    assert.ok(command.includes('"Authorization: Bearer $TOKEN"') && !command.includes('eyJ'), command);
    await assertAccessible(page, 'the request history', SERIOUS);
    await page.locator('#history summary').click();
  });
  await check('an unreachable server is named as the cause, not CORS', async () => {
    const block = await docs.open('getMe');
    await page.route(`**/${contract}/users/me`, (route) => route.abort(), { times: 1 });
    await block.locator('.execute').click();
    await block.getByText('The server is unreachable. Check the connection and try again.').waitFor();
    assert.doesNotMatch(await block.innerText(), /CORS/);
  });
  await check('a rejected access token is refreshed and the request is retried', async () => {
    const unauthorized = { status: 401, contentType: 'application/json', body: '{}' };
    await page.route(`**/${contract}/users/me`, (route) => route.fulfill(unauthorized), { times: 1 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(withoutIdentity(seen.stop(), contract), [`GET /${contract}/users/me 401`, 'POST /v2/auth/refresh 200', `GET /${contract}/users/me 200`]);
  });
  await check('an access token is refreshed shortly before it expires', async () => {
    await docs.changeStoredSession({ expires_at: Date.now() - 1000 });
    const seen = docs.record();
    assert.equal((await docs.execute('getMe')).status, 200);
    assert.deepEqual(withoutIdentity(seen.stop(), contract), ['POST /v2/auth/refresh 200', `GET /${contract}/users/me 200`]);
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
    assert.deepEqual(seen.stop().slice(0, 3), ['GET /v2/users/me 401', 'POST /v2/auth/refresh 200', 'GET /v2/users/me 200']);
    assert.equal(await docs.loggedInAs(), demo.email);
    assert.equal((await docs.execute('getMe')).status, 200);
  });
  trouble.assertNone();
}

/** Removes the request with which the bar shows the user of a refreshed session: it is sent at the same time as that of the operation. */
function withoutIdentity(seen, contract) {
  const [own] = contract === 'v2' ? [] : ['GET /v2/users/me 200'];
  const count = (line) => seen.filter((other) => other === line).length;
  return seen.filter((line, index) => line !== own && !(contract === 'v2' && count(line) > 1 && line === 'GET /v2/users/me 200' && index < seen.lastIndexOf(line)));
}

/** Takes screenshots of an executed operation in both color schemes. */
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
    const started = Date.now();
    const input = typeof step.input === 'function' ? step.input() : step.input;
    const add = (status, verdict) => rows.push({ operation: step.id, as: step.as, status, expected: step.expect.join(' | '), ms: Date.now() - started, verdict });
    let result;
    try {
      result = await docs.execute(step.id, { ...input, shown: step.id === 'createItem' ? (block) => pictures(block, contract) : null });
      await step.after?.(result);
    } catch (error) {
      add(result?.status ?? '-', `FAILED: ${error.message.split('\n')[0]}`);
      await shot(docs.page, `failed-${contract}-${step.id}`);
      continue;
    }
    const ok = step.expect.includes(result.status);
    if (!ok) await shot(docs.page, `failed-${contract}-${step.id}`);
    add(result.status, ok ? (step.note ?? 'ok') : `FAILED: ${result.body.slice(0, 160)}`);
  }
  console.table(rows);
  if (absent.length) console.log(`planned, but not in the document: ${absent.join(', ')}`);
  assert.deepEqual(unplanned, [], 'operations of the document without a plan (see plan.mjs)');
  const failed = rows.filter((row) => String(row.verdict).startsWith('FAILED'));
  assert.deepEqual(failed.map((row) => row.operation), [], 'operations with an unexpected response');
  trouble.assertNone();
}

/** Returns the API versions of the server, the newest first. */
async function contracts() {
  const { contracts: served } = await (await fetch(`${origin}/version`)).json();
  assert.ok(served.length > 1, 'more than one contract');
  return served.reverse();
}

/** What does not depend on the API version: layout, addresses, filter, keyboard. */
async function viewer() {
  const { page, trouble } = await open('/docs');
  const docs = new SwaggerPage(page);
  await docs.ready();
  await check('/docs opens on the newest version', async () => {
    const [newest] = await contracts();
    await page.locator(`.chooser [aria-current="page"][data-contract="${newest}"]`).waitFor();
    assert.match(await page.title(), new RegExp(`^Operations of ${newest} · `));
  });
  await check('only required parameters are filled in', async () => {
    const block = await docs.open('listItems');
    const values = await block.locator('tr[data-param-name]').evaluateAll((rows) => rows.map((row) => [row.dataset.paramName, row.querySelector('input, select')?.value ?? '']));
    assert.ok(values.length > 5, `${values}`);
    assert.deepEqual(values.filter(([, value]) => value !== '' && value !== '--'), [['bucketlist_id', '1']]);
  });
  await check('the ID of a created resource is filled in, unless the user has changed it', async () => {
    const credentials = { email: `ids-${Date.now()}@example.com`, password: 'harbour-lantern-42' };
    assert.equal((await docs.execute('register', { body: credentials })).status, 201);
    await docs.expectUser(credentials.email);
    const shown = async (id, name) => (await docs.open(id)).locator(`tr[data-param-name="${name}"] input`).inputValue();
    assert.equal(await shown('getItem', 'item_id'), '1');
    await (await docs.open('deleteBucketlist')).locator('tr[data-param-name="bucketlist_id"] input').fill('77');
    const list = (await docs.execute('createBucketlist')).json.id;
    assert.equal(await shown('listItems', 'bucketlist_id'), String(list));
    assert.equal(await shown('getItem', 'bucketlist_id'), String(list));
    assert.equal(await shown('deleteBucketlist', 'bucketlist_id'), '77');
    const created = await docs.execute('createItem');
    assert.equal(created.status, 201, created.body);
    assert.equal(await shown('getItem', 'item_id'), String(created.json.id));
    assert.equal((await docs.execute('getItem')).status, 200);
    // A second list replaces the first one, also where its ID was filled in.
    const second = (await docs.execute('createBucketlist', { body: { name: 'The second list' } })).json.id;
    assert.notEqual(second, list);
    assert.equal(await shown('listItems', 'bucketlist_id'), String(second));
    assert.equal((await docs.execute('deleteMe', { body: { password: credentials.password } })).status, 204);
    await docs.expectUser(null);
    await page.reload({ waitUntil: 'load' });
    await docs.ready();
  });
  await check('error responses are grouped, and each code has a page', async () => {
    const block = await docs.open('createItem');
    const height = (await block.boundingBox()).height;
    assert.ok(height < 2_500, `the operation is ${height} px tall`);
    await block.locator('.error-responses summary').click();
    const links = await block.locator('.error-responses a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    assert.ok(links.length > 15, `${links}`);
    for (const href of links) assert.equal((await page.request.get(origin + href)).status(), 200, href);
    await shot(block, 'docs-errors');
  });
  await check('opened operations are accessible, and fit on a phone', async () => {
    await docs.open('listItems');
    await inspect(page, 'docs', { impacts: SERIOUS, fullPage: false });
  });
  await check('the dialog to authorize is accessible in both schemes', async () => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await page.locator('.btn.authorize').click();
      await page.locator('.modal-ux').waitFor();
      await shot(page, `docs-authorize-${colorScheme}`);
      await assertAccessible(page, `the dialog to authorize, ${colorScheme}`, SERIOUS);
      await page.getByRole('button', { name: 'Close', exact: true }).first().click();
    }
  });
  await check('a filter without a match and an unknown version say so', async () => {
    await page.fill('.operation-filter-input', 'no such operation');
    await page.getByText('Nothing matches the filter.').waitFor();
    await page.fill('.operation-filter-input', '');
    await page.goto(`${origin}/docs?contract=v9`, { waitUntil: 'load' });
    await docs.ready();
    assert.match(await page.locator('#notice.error').innerText(), /no version “v9”/);
    await page.goto(`${origin}/docs`, { waitUntil: 'load' });
    await docs.ready();
  });
  await check('the filter ignores case and finds tags, paths and operations', async () => {
    for (const [phrase, expected] of [['BUCKETLISTS/{BUCKETLIST_ID}/ITEMS/BATCH', ['createItems']], ['searCH lists', []], ['EXPORTs/{', ['getExport', 'getExportContent']], ['API clients', ['listApiClients', 'createApiClient', 'getApiClient', 'updateApiClient', 'deleteApiClient', 'rotateApiClientKey']], ['INCIDENT GROUPs', ['listIncidentGroups', 'resolveIncidentGroups']]]) {
      await page.fill('.operation-filter-input', phrase);
      await page.waitForFunction((wanted) => document.querySelectorAll('.opblock').length === wanted, expected.length);
      const shown = await page.locator('.opblock').evaluateAll((all) => all.map(({ id }) => id.split('-').at(-1)));
      assert.deepEqual(shown, expected, phrase);
    }
  });
  await check('the skip link and the operations can be reached with the keyboard', async () => {
    await page.goto('about:blank');
    await page.goto(`${origin}/docs`, { waitUntil: 'load' });
    await docs.ready();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), 'operations');
    assert.equal(new URL(page.url()).hash, '');
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement.matches('.expand-operation, .opblock-summary-control'))) return;
    }
    throw new Error('no operation received the focus');
  });
  await check('a deep link is not covered by the header', async () => {
    await page.goto('about:blank');
    await page.goto(`${origin}/docs#/Items/createItem`, { waitUntil: 'load' });
    const block = page.locator('.opblock.is-open[id$="-createItem"]');
    await block.waitFor();
    await page.waitForFunction(() => scrollY > 0);
    const bar = await page.locator('.bar').boundingBox();
    await page.waitForFunction((bottom) => {
      const { top } = document.querySelector('.opblock.is-open').getBoundingClientRect();
      return top >= bottom && top < innerHeight / 2;
    }, bar.height);
  });
  await check('deprecated operations are legible', async () => {
    await page.goto(`${origin}/docs?contract=v1`, { waitUntil: 'load' });
    await docs.ready();
    assert.ok(await page.locator('.opblock-deprecated').count() > 0);
    await assertAccessible(page, 'deprecated operations', SERIOUS);
  });
  trouble.assertNone();
  await page.context().close();
}

/** A slow phone shows what it is doing, and a failure says what to do. */
async function slowConnection(path) {
  const { page } = await open('/robots.txt', { viewport: { width: 390, height: 844 } });
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('Network.enable');
  // "Slow 4G" of Lighthouse, with a slower processor.
  await protocol.send('Network.emulateNetworkConditions', { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 90_000 });
  await check(`${path} on a slow phone shows within 2 s that it is loading`, async () => {
    const started = Date.now();
    await page.goto(origin + path, { waitUntil: 'commit' });
    await page.locator('#loading [role=status]').waitFor();
    assert.ok(Date.now() - started < 2_000, `${Date.now() - started} ms`);
    assert.match(await page.locator('#loading').innerText(), /Loading/);
    await page.locator('#loading').waitFor({ state: 'hidden', timeout: 30_000 });
  });
  await check(`${path} says what to do if its document does not load`, async () => {
    await page.route('**/openapi/*.json', (route) => route.abort());
    await page.goto(origin + path, { waitUntil: 'load' });
    await page.locator('#loading [role=alert]').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Try again' }).isVisible());
  });
  await page.context().close();
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
  await session(docs, demo, contract, trouble);
  await check(`every operation of ${contract}`, () => everyOperation(docs, demo, contract, trouble));
  await page.context().close();
}

await run(async () => {
  await viewer();
  await slowConnection('/docs');
  for (const contract of await contracts()) {
    await documentation(contract);
  }
});
