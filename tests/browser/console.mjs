// Tests the console in Chromium: every section, with its filters, changes, errors, keyboard and layout. Fails on any request to another
// host, on any violation of the content security policy, and on any error in a page.
//
//   node console.mjs BASE_URL [SCREENSHOT_DIR]
//
//   ADMIN_EMAIL, ADMIN_PASSWORD   credentials of an administrator
//   CHROMIUM                      default /usr/bin/chromium
//   SECTIONS                      sections to test, such as "incidents apiClients"; default: all
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { focused, overflow, start } from './support.mjs';

const [base, shots] = process.argv.slice(2);
const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = process.env;
if (!base || !email || !password) {
  console.error('usage: ADMIN_EMAIL=… ADMIN_PASSWORD=… node console.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const { check, inspect, open, origin, run, shot } = await start({ base, shots, prefix: 'console-' });
const STORAGE_KEY = 'bucketlist-session';
const execute = promisify(execFile);

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
/** Waits until a list has an entry: requests are counted within 10 seconds. */
const counted = async (path) => {
  for (let tries = 0; tries < 100; tries += 1) {
    const { data } = await (await fetch(origin + path, { headers: admin })).json();
    if (data.length) return;
    await new Promise((resolve) => { setTimeout(resolve, 300); });
  }
  throw new Error(`${path} stayed empty`);
};
const unique = Date.now();
const MARKUP = '<img src=x onerror=alert(1)>{{title}}';
const visitor = { email: `console-${unique}@example.com`, password: 'harbour-lantern-42' };

async function register() {
  // Markup and right-to-left text as a name.
  const body = { ...visitor, name: `<b>Ada</b> \u05d0\u05d3\u05d4` };
  const response = await fetch(`${origin}/v2/auth/register`, { method: 'POST', headers: json, body: JSON.stringify(body) });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()).user;
}

// ---- the page ---------------------------------------------------------------------------------------------------------

let page;
const notice = () => page.locator('#notice');
const rows = () => page.locator('#rows tbody tr');
const groups = () => page.locator('#groups tbody tr');
const rowOf = (text) => page.locator('#rows tbody tr', { hasText: text });
const seesNotice = (text) => page.locator('#notice', { hasText: text }).waitFor();
const loaded = () => page.waitForFunction(() => !document.getElementById('view').hidden && document.getElementById('notice').textContent !== 'Loading…' && !document.querySelector('[aria-busy]'));

async function visit(path) {
  await page.goto(origin + path, { waitUntil: 'load' });
  await loaded();
}

async function submitLogin(account) {
  await page.fill('#login-email', account.email);
  await page.fill('#login-password', account.password);
  await page.click('#login button');
}

/** Fills in filters and applies them. */
async function filter(values) {
  for (const [name, value] of Object.entries(values)) {
    const field = page.locator(`#filters [name=${name}]`);
    if (await field.evaluate(({ tagName }) => tagName) === 'SELECT') await field.selectOption(value);
    else await field.fill(value);
  }
  await page.click('#filters button[type=submit]');
}

/** Clicks a button that opens the dialog, and confirms or cancels. */
async function answer(button, choice) {
  await button.click();
  await page.locator('#dialog[open]').waitFor();
  await page.locator('#dialog button', { hasText: choice }).click();
  await page.locator('#dialog[open]').waitFor({ state: 'detached' });
}

async function downloads(button, count = 1) {
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
  await page.click(button);
  await all;
  return Promise.all(files.map(async (file) => ({ name: file.suggestedFilename(), bytes: await readFile(await file.path()) })));
}

/** Waits until the plots have this number of bars. */
const bars = (count) => page.waitForFunction((wanted) => document.querySelectorAll('.chart > svg .bar-a').length === wanted, count);

/** Replaces the session by one that the server does not know, as after a revocation. */
const endSession = () => page.evaluate((key) => localStorage.setItem(key, JSON.stringify({ access_token: 'a.b.c', refresh_token: 'x'.repeat(43), expires_at: Date.now() + 600_000 })), STORAGE_KEY);

const loggedOut = async () => {
  await page.locator('#login').waitFor();
  assert.ok(await page.locator('#view').isHidden() && await page.locator('#session').isHidden());
};

// ---- sections -------------------------------------------------------------------------------------------------------

async function session() {
  await check('without a session only the login form is visible', async () => {
    await loggedOut();
    await inspect(page, 'login');
  });
  await check('a wrong password and a user without the admin role are rejected', async () => {
    await submitLogin({ email, password: `${password}-wrong` });
    await page.locator('#notice.error').waitFor();
    await loggedOut();
    await submitLogin(visitor);
    await seesNotice('not an administrator');
    await loggedOut();
  });
  await check('the session of a user from /docs is explained, and can be replaced', async () => {
    const response = await page.request.post(`${origin}/v2/auth/login`, { data: visitor });
    const { access_token, refresh_token } = await response.json();
    await page.evaluate(([key, value]) => localStorage.setItem(key, value), [STORAGE_KEY, JSON.stringify({ access_token, refresh_token, expires_at: Date.now() + 600_000 })]);
    await page.reload();
    await page.locator('#forbidden', { hasText: visitor.email }).waitFor();
    await page.click('#switch-account');
    await loggedOut();
    assert.equal(await focused(page), 'login-email');
  });
  await check('an administrator logs in, and the focus moves to the content', async () => {
    await submitLogin({ email, password });
    await loaded();
    assert.equal(await page.locator('#login').count(), 0, 'the form, with the password, is not in the page');
    assert.equal(await page.locator('#session-user').innerText(), email);
    assert.equal(await focused(page), 'content');
  });
  await check('the skip link moves the focus and keeps the page', async () => {
    await visit('/console');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), 'content');
    assert.ok(await page.locator('#figures div').first().isVisible());
    assert.equal(new URL(page.url()).hash, '');
  });
  await check('every section names its tab and itself in the navigation', async () => {
    const sections = await page.locator('.sections a[data-key]:not([data-page])').evaluateAll((all) => all.map(({ pathname, textContent }) => [pathname, textContent]));
    assert.ok(sections.length >= 8);
    // In development, the navigation has the previews of mail.
    assert.deepEqual(await page.locator('.sections a[data-page]').evaluateAll((all) => all.map(({ pathname }) => pathname)), ['/console/mail']);
    for (const [path, title] of sections) {
      await visit(path);
      assert.equal(await page.title(), `${title} · Console · BucketList API`);
      assert.equal(await page.locator('.sections [aria-current=page]').innerText(), title);
      assert.equal(await page.locator('h1').innerText(), title);
    }
  });
  await check('no table is wider than the page, with every grouping of usage', async () => {
    await counted('/v2/admin/usage?deprecated=true');
    const paths = await page.locator('.sections a[data-key]').evaluateAll((all) => all.map(({ pathname }) => pathname));
    const groupings = ['consumer', 'operation,consumer', 'version', 'day'].map((group) => `/console/usage?group_by=${group}`);
    for (const path of [...paths, '/console/incidents?view=incidents', ...groupings]) {
      if (path === '/console/mail') await page.goto(origin + path, { waitUntil: 'load' });
      else await visit(path);
      for (const width of [390, 960, 1024, 1280, 1366]) {
        await page.setViewportSize({ width, height: 900 });
        assert.equal(await overflow(page), 0, `${path} scrolls horizontally at ${width} px`);
        await shot(page, `width-${path.replace(/\W+/g, '-').slice(9) || 'overview'}-${width}`, { fullPage: true });
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });
  await check('shortcuts are listed by “?”, go to sections, and do nothing while the user types', async () => {
    await visit('/console/users');
    await page.keyboard.press('?');
    await page.locator('#shortcuts[open]').waitFor();
    assert.ok((await page.locator('#shortcut-list').innerText()).includes('Go to Incidents'));
    await inspect(page, 'shortcuts', { fullPage: false });
    await page.keyboard.press('Escape');
    await page.locator('#shortcuts[open]').waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'q');
    await page.keyboard.type('g i?j');
    assert.equal(await page.inputValue('#filters [name=q]'), 'g i?j');
    assert.ok(new URL(page.url()).pathname === '/console/users' && await page.locator('#shortcuts[open]').count() === 0);
    await page.locator('h1').click();
    await page.keyboard.press('j');
    await page.waitForFunction(() => document.activeElement.closest('#rows tbody tr'));
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    await page.waitForURL('**/console/exports');
    await loaded();
    // They can be disabled.
    await page.click('#show-shortcuts');
    await page.uncheck('#shortcuts-enabled');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    assert.equal(await page.locator('#shortcuts[open]').count(), 0);
    await page.click('#show-shortcuts');
    await page.check('#shortcuts-enabled');
    await page.keyboard.press('Escape');
  });
  await check('another tab has the session', async () => {
    const other = await open('/console/users', { context: page.context() });
    await other.page.locator('#rows tbody tr').first().waitFor();
    await other.page.close();
  });
}

async function overview() {
  await check('the overview shows health, requests, errors, latency and deprecations', async () => {
    await counted('/v2/admin/usage?deprecated=true');
    await visit('/console');
    const figures = await page.locator('#figures').innerText();
    for (const name of ['Health\nReady', 'Requests today', 'Errors today', 'Latency today', 'Unresolved incidents', 'Deprecated operations in use']) assert.ok(figures.includes(name), figures);
    await bars(24);
    await page.locator('.chart > svg .dot-a').first().waitFor();
    await page.locator('#deprecations', { hasText: 'listBucketlists' }).waitFor();
    await page.locator('#failures tbody tr', { hasText: 'BUCKETLIST_NOT_FOUND' }).locator('.sparkline').waitFor();
    await page.locator('.chart summary').first().press('Enter');
    await page.locator('.chart details table').first().waitFor();
    await inspect(page, 'overview');
  });
  await check('the period of the plots is in the address', async () => {
    await filter({ period: '30d' });
    await bars(30);
    assert.equal(new URL(page.url()).search, '?period=30d');
    await page.goBack();
    await bars(24);
  });
  await check('an address of an incident of the old console still works', async () => {
    await page.goto(`${origin}/console#1`);
    await page.waitForURL('**/console/incidents?id=1');
  });
}

async function usage() {
  await check('usage shows the most requested operations first', async () => {
    await counted('/v2/admin/usage?deprecated=true');
    await visit('/console/usage');
    const counts = await page.locator('#rows td[data-label=Requests]').allInnerTexts();
    const numbers = counts.map((text) => Number(text.replaceAll(',', '')));
    assert.ok(numbers.length > 2);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a));
    await inspect(page, 'usage');
  });
  await check('a deprecated operation lists its callers', async () => {
    const panel = page.locator('#deprecations details', { hasText: 'listBucketlists' });
    if (!await panel.evaluate((it) => it.open)) await panel.locator('summary').click();
    assert.ok(await panel.locator('tbody tr', { hasText: email }).isVisible());
  });
  await check('API clients are listed with their contact, and the filters apply to deprecated operations', async () => {
    const body = JSON.stringify({ name: `Usage ${unique}`, contact_email: 'sync@example.com', scopes: ['read'] });
    const client = await (await fetch(`${origin}/v2/admin/api-clients`, { method: 'POST', headers: { ...admin, ...json }, body })).json();
    assert.equal((await fetch(`${origin}/v1/bucketlists`, { headers: { 'X-API-Key': client.key } })).status, 200);
    await counted(`/v2/admin/usage?consumer=api_client:${client.id}`);
    await visit(`/console/usage?version=v1&group_by=consumer&consumer=api_client:${client.id}`);
    for (const table of ['#rows', '#deprecations']) {
      const found = page.locator(`${table} tbody tr`);
      await found.first().waitFor();
      assert.equal(await found.count(), 1, table);
      assert.match(await found.innerText(), new RegExp(`API client ${client.id}: Usage ${unique}\\s+Contact: sync@example.com`), table);
    }
    await page.locator('#rows [title="Fewer than two requests"]').waitFor();
    await visit(`/console/usage?version=v2&consumer=api_client:${client.id}`);
    await page.getByText('No consumer of a deprecated operation matches these filters.').waitFor();
    await fetch(`${origin}/v2/admin/api-clients/${client.id}`, { method: 'DELETE', headers: admin });
    // The audit log has the name of the deleted client.
    await visit(`/console/usage?version=v1&group_by=consumer&consumer=api_client:${client.id}`);
    await rows().first().getByRole('link', { name: 'audit events' }).click();
    await rowOf('api_client.created').waitFor();
    assert.match(await rowOf('api_client.created').innerText(), new RegExp(`name: Usage ${unique}`));
    await visit('/console/usage');
  });
  await check('filters ignore case, are in the address, and say what is unknown', async () => {
    await filter({ operation: 'LISTbucketLISTS', group_by: 'consumer' });
    await rowOf(email).waitFor();
    assert.equal(new URL(page.url()).search, '?operation=listBucketlists&group_by=consumer');
    await page.reload();
    await rowOf(email).waitFor();
    assert.equal(await page.inputValue('#filters [name=operation]'), 'listBucketlists');
    await filter({ operation: 'bucket' });
    await seesNotice('No operation is named “bucket”. Similar: ');
    await filter({ operation: '', version: 'v1', consumer: 'user:999999' });
    await page.locator('#rows', { hasText: 'No requests to v1 in this period (last 30 days).' }).waitFor();
    await filter({ consumer: 'nonsense' });
    await seesNotice('No single consumer is named “nonsense”. Enter an email address');
    await page.click('#filters button[type=reset]');
    await page.locator('#rows tbody tr').first().waitFor();
    await loaded();
    assert.equal(new URL(page.url()).search, '');
  });
  await check('filters of the address are corrected, and unknown ones are named', async () => {
    await visit(`/console/usage?operation=LISTBUCKETLISTS&consumer=${encodeURIComponent(email)}`);
    await page.waitForFunction(() => /operation=listBucketlists&consumer=user%3A\d+$/.test(location.search));
    await visit('/console/usage?version=v9&color=red');
    const warning = page.locator('#view > [role=alert]');
    await warning.waitFor();
    assert.equal(await warning.innerText(), '“v9” is not a value of the filter “Version”: it is ignored. “color” is not a filter of this page.');
    await page.locator('#rows tbody tr', { hasText: 'v2' }).first().waitFor();
    await visit('/console/usage');
  });
  await check('a link to a section says that the server is unreachable, and the page stays', async () => {
    await page.route('**/health/live', (route) => route.abort(), { times: 1 });
    await page.click('.sections a[data-key=s]');
    await seesNotice('The server is unreachable.');
    assert.equal(new URL(page.url()).pathname, '/console/usage');
    await page.click('.sections a[data-key=s]');
    await page.waitForURL('**/console/users');
    await visit('/console/usage');
  });
  await check('usage by day has a plot, and is downloaded as CSV', async () => {
    await filter({ group_by: 'day' });
    await page.locator('.chart > svg').waitFor();
    const [file] = await downloads('#csv');
    assert.equal(file.name, 'usage.csv');
    assert.match(file.bytes.toString(), /^day,hour,operation,/);
  });
}

async function incidents(hostile, binary, huge) {
  const row = ({ id }) => page.locator('#rows tr', { has: page.locator(`:is(a[href="/console/incidents?id=${id}"], a[href^="/console/incidents?id=${id}&"])`) });
  const show = async ({ id }) => {
    await visit(`/console/incidents?id=${id}`);
    await page.locator('#incident').waitFor();
    assert.match(await page.locator('#title').innerText(), new RegExp(`^#${id} `));
  };
  const LIST = '/console/incidents?view=incidents';
  const group = (title) => page.locator('#groups tbody tr', { has: page.locator('.group-title', { hasText: title }) });
  await check('entered text is applied to the other view, and the focus returns to the opened row', async () => {
    await visit('/console/incidents?code=bucketlist_not_found');
    await page.fill('#filters [name=operation]', 'getbucketlist');
    await page.click('#view-incidents');
    await page.locator('#rows tbody tr').first().waitFor();
    assert.equal(new URL(page.url()).search, '?operation=getBucketlist&code=BUCKETLIST_NOT_FOUND&view=incidents');
    const isFocused = (text) => page.waitForFunction((wanted) => document.activeElement.textContent === wanted, text);
    for (const goBack of [() => page.click('#back'), () => page.goBack()]) {
      const link = page.locator('#rows tbody tr a').first();
      const text = await link.innerText();
      await link.click();
      await page.locator('#incident').waitFor();
      await loaded();
      await goBack();
      await page.locator('#rows tbody tr').first().waitFor();
      await isFocused(text);
    }
  });
  await check('the command to capture a request runs as pasted', async () => {
    await visit('/console/incidents');
    await page.getByText('Capture a request', { exact: true }).click();
    const { stdout } = await execute('bash', ['-euc', await page.locator('#capture-command').innerText()]);
    assert.match(stdout, /^HTTP\/1.1 404 [^]*\nx-debug-captured: 1\r\n/i);
    const [, id] = stdout.match(/\nx-request-id: (\S+)/i);
    await counted(`/v2/admin/incidents?request_id=${id}`);
    await page.reload();
    await loaded();
    assert.equal(await groups().first().locator('.group-title').innerText(), 'getBucketlist: 404 BUCKETLIST_NOT_FOUND');
  });
  await check('groups show how often a failure occurred, when, and for how many users', async () => {
    await visit('/console/incidents');
    const row = group('getBucketlist: 404 BUCKETLIST_NOT_FOUND');
    await row.waitFor();
    const { data: [stored] } = await (await fetch(`${origin}/v2/admin/incident-groups?code=BUCKETLIST_NOT_FOUND`, { headers: admin })).json();
    assert.deepEqual([await row.locator('[data-label=Count]').innerText(), await row.locator('[data-label=Users]').innerText()], [String(stored.occurrences), '1']);
    assert.equal(await row.locator('[data-label=State]').innerText(), 'unresolved');
    assert.equal(await row.locator('.sparkline').getAttribute('aria-label'), `${stored.activity.reduce((sum, count) => sum + count)} in 14 days, ${stored.activity[13]} today`);
    assert.match(await row.locator('[data-label="Last seen"] time').getAttribute('title'), /^20\d\d-.* UTC$/);
    await inspect(page, 'groups');
  });
  await check('a group opens its newest incident, and buttons and keys go to the others', async () => {
    await group('getBucketlist: 404').locator('.group-title').click();
    await page.locator('#incident').waitFor();
    await page.locator('#position', { hasText: '1 of ' }).waitFor();
    const first = await page.locator('#title').innerText();
    assert.ok(await page.locator('#newer').isDisabled());
    await page.click('#older');
    await page.locator('#position', { hasText: '2 of ' }).waitFor();
    await page.waitForFunction(() => document.activeElement.id === 'older');
    await page.locator('#title').focus();
    await page.keyboard.press('n');
    await page.locator('#position', { hasText: '3 of ' }).waitFor();
    await page.goBack();
    await page.locator('#position', { hasText: '2 of ' }).waitFor();
    await page.locator('#title').focus();
    await page.keyboard.press('p');
    await page.locator('#position', { hasText: '1 of ' }).waitFor();
    assert.equal(await page.locator('#title').innerText(), first);
    await page.keyboard.press('u');
    await page.waitForURL((url) => !url.searchParams.has('id'));
  });
  await check('one field finds incidents by request ID, error code, operation, status and ID', async () => {
    const find = async (text) => {
      await visit('/console/incidents');
      await page.fill('#find [name=q]', text);
      await page.keyboard.press('Enter');
    };
    for (const [text, search] of [['bucketlist not found', '?code=BUCKETLIST_NOT_FOUND'], ['GETBUCKETLIST', '?operation=getBucketlist'], ['404', '?status=404'], [binary.request_id, `?request_id=${binary.request_id}`], [binary.fingerprint, `?fingerprint=${binary.fingerprint}`]]) {
      await find(text);
      await page.waitForURL((url) => url.search === search);
      await loaded();
      assert.ok(await page.locator(search.includes('_id') || search.includes('fingerprint') ? '#rows tbody tr' : '#groups tbody tr').count() > 0, text);
    }
    // As people copy a request ID, from JSON or from a header.
    for (const text of [`"${binary.request_id}"`, `X-Request-ID: ${binary.request_id.toUpperCase()}`, `"request_id":"${binary.request_id}",`]) {
      await find(text);
      await page.waitForURL((url) => url.search === `?request_id=${binary.request_id}`);
      await rows().first().waitFor();
    }
    await find('00000000-0000-7000-8000-00000000abcd');
    await page.locator('#rows', { hasText: 'The log of the server has every request: search it for this ID.' }).waitFor();
    await find(`#${binary.id}`);
    await page.locator('#title', { hasText: `#${binary.id} ` }).waitFor();
    await find('a b c');
    await seesNotice('is not a request ID');
  });
  await check('several groups are resolved at once, and reopened', async () => {
    await visit('/console/incidents');
    await page.locator('#groups th input').check();
    const count = await groups().count();
    assert.ok(count >= 2);
    await page.locator('#bulk-count', { hasText: `${count} selected` }).waitFor();
    await inspect(page, 'groups-selected');
    await page.fill('#bulk [name=fixed_in]', '9.9.9');
    await page.click('#bulk [value=true]');
    await seesNotice(`Marked ${count} groups as resolved.`);
    assert.deepEqual(new Set(await page.locator('#groups td[data-label=State]').allInnerTexts()), new Set(['resolved\nin 9.9.9']));
    assert.ok(await page.locator('#bulk').isHidden());
    await page.locator('#groups th input').check();
    await page.click('#bulk [value=false]');
    await seesNotice(`Marked ${count} groups as unresolved.`);
    // One row is selected with the keyboard.
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.locator('#bulk-count', { hasText: '1 selected' }).waitFor();
    await page.click('#bulk-clear');
    assert.ok(await page.locator('#bulk').isHidden());
  });
  await check('incidents are listed, and fit on a phone', async () => {
    await visit(LIST);
    await row(hostile).waitFor();
    await inspect(page, 'incidents');
  });
  await check('filters of incidents ignore case and are in the address', async () => {
    await filter({ request_id: binary.request_id });
    await page.waitForFunction(() => document.querySelectorAll('#rows tbody tr').length === 1);
    assert.ok(await row(binary).isVisible());
    await visit(LIST);
    await row(hostile).waitFor();
    await filter({ code: hostile.code.toLowerCase().replaceAll('_', '-'), operation: 'GETBUCKETLIST' });
    await page.waitForURL(`**?view=incidents&operation=getBucketlist&code=${hostile.code}`);
    await row(hostile).waitFor();
    await page.reload();
    await row(hostile).waitFor();
    await filter({ code: 'NO_SUCH_CODE' });
    await seesNotice('No error code is named');
    await filter({ code: '', operation: '', status: '599' });
    await page.locator('#rows', { hasText: 'Nothing matches these filters.' }).waitFor();
    await inspect(page, 'incidents-none');
    await page.goBack();
    await row(hostile).waitFor();
    await visit('/console/incidents?status=599');
    await page.locator('#groups').getByRole('button', { name: 'Clear the filters' }).click();
    await groups().first().waitFor();
    assert.equal(new URL(page.url()).search, '');
    await visit(LIST);
  });
  await check('an incident opens in another tab without a login', async () => {
    const [other] = await Promise.all([page.context().waitForEvent('page'), row(hostile).locator('a').first().click({ modifiers: ['ControlOrMeta'] })]);
    await other.locator('#incident').waitFor();
    await other.close();
  });
  await check('an incident is displayed as captured, without interpreting markup', async () => {
    await row(hostile).locator('a').first().click();
    await page.locator('#incident').waitFor();
    await page.waitForFunction(() => document.activeElement.id === 'title');
    const request = await page.locator('#request').innerText();
    assert.ok(request.startsWith('GET /v2/bucketlists/999999999?include=items\n'), request);
    assert.ok(request.includes(MARKUP), request);
    const response = await page.locator('#response').innerText();
    // The bearer token is a placeholder, and marked as such.
    const [token] = /(?<=authorization: Bearer ).*/.exec(request);
    assert.ok((await page.locator('#request mark').allInnerTexts()).includes(token), token);
    assert.ok(await page.locator('#placeholders').isVisible());
    assert.ok(response.startsWith('404\n') && response.includes('\n  "code": '), response);
    assert.equal(await page.locator('#incident img').count(), 0);
    assert.match(await page.title(), new RegExp(`^Incident #${hostile.id} `));
    await inspect(page, 'incident');
  });
  await check('a large body is cut until the user asks for all of it', async () => {
    await visit(`/console/incidents?id=${huge.id}`);
    const all = page.locator('#request button', { hasText: 'Show all' });
    await all.waitFor();
    const before = (await page.locator('#request').textContent()).length;
    await all.click();
    await all.waitFor({ state: 'detached' });
    assert.ok((await page.locator('#request').textContent()).length > before);
    assert.equal(await focused(page), 'request');
  });
  await check('among very many incidents, the neighbors are searched in the newest 1,000', async () => {
    let requests = 0;
    const summary = { ...hostile, id: 1_000_000_000, _links: {} };
    await page.route('**/v2/admin/incidents?*', (route) => {
      requests += 1;
      const data = Array.from({ length: 100 }, (_, index) => ({ ...summary, id: summary.id - 100 * requests - index }));
      return route.fulfill({ json: { data, meta: { per_page: 100, has_more: true, total: null }, links: { self: '/', next: `/v2/admin/incidents?cursor=${requests}` } } });
    });
    await visit(`/console/incidents?id=${hostile.id}`);
    await page.locator('#position', { hasText: 'older than the newest 1,000' }).waitFor();
    assert.ok(await page.locator('#older').isDisabled() && await page.locator('#newer').isDisabled());
    assert.equal(requests, 10);
    await page.unroute('**/v2/admin/incidents?*');
  });
  await check('the caller of an incident links to the account with its email address', async () => {
    await visit(`/console/incidents?id=${hostile.id}`);
    await page.locator('#facts a', { hasText: /^admin \d+$/ }).click();
    await page.waitForURL(/\/console\/users\?q=user(:|%3A)\d+$/);
    await rowOf(email).waitFor();
    assert.equal(await rows().count(), 1);
  });
  await check('“Replay now” sends the request to a configured server and shows the differences', async () => {
    await visit(`/console/incidents?id=${hostile.id}`);
    await page.click('#replay');
    await page.locator('#dialog[open]').waitFor();
    assert.deepEqual(await page.locator('#dialog option').evaluateAll((all) => all.map(({ value }) => value)), ['other']);
    assert.match(await page.locator('#dialog-text').innerText(), /^The request was sent by an administrator, and is sent with the administrator account of the target\. .*REPLAY_TARGETS=/);
    await inspect(page, 'replay-dialog', { fullPage: false });
    await page.locator('#dialog button', { hasText: 'Cancel' }).click();
    await answer(page.locator('#replay'), 'Replay now');
    await page.locator('#replay-result .state', { hasText: 'Reproduced' }).waitFor();
    await page.locator('#replay-result', { hasText: 'Captured 404 BUCKETLIST_NOT_FOUND; now 404 BUCKETLIST_NOT_FOUND on other.' }).waitFor();
    await inspect(page, 'replay');
    // The replay is in the audit log.
    await page.click('#audit-page');
    await rowOf('incident.replayed').waitFor();
    await visit(`/console/incidents?id=${hostile.id}`);
  });
  await check('an incident is copied as a curl command', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('#copy-curl');
    await page.locator('#copy-curl', { hasText: 'Copied' }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^curl -sS /);
    await page.click('#copy-id');
    await page.locator('#copy-id', { hasText: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), hostile.request_id);
  });
  await check('a replay report shows the differences', async () => {
    const outcome = { request_id: hostile.request_id, replayed: { status: 200, code: null }, reproduced: false, fixed: true, contract_violations: [], not_sent: null,
      differences: [{ location: 'status', captured: '422', replayed: '200' }, { location: '/x', captured: '<b>', replayed: '1' }] };
    const report = { against: 'http://localhost', outcomes: [outcome] };
    await page.locator('.report summary').click();
    await page.setInputFiles('#report', { name: 'report.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(report)) });
    await page.locator('#differences table').waitFor();
    assert.match(await page.locator('#replay-result').innerText(), /^Fixed\s+Captured 404 BUCKETLIST_NOT_FOUND; now 200 on http:\/\/localhost\./);
    assert.equal(await page.locator('#differences tbody tr').count(), 2);
    await page.setInputFiles('#report', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
    await seesNotice('not a replay report');
  });
  await check('an incident is exported for Postman, curl and HAR', async () => {
    const [collection] = await downloads('[data-export=postman]');
    assert.equal(collection.name, `incident-${hostile.id}.postman_collection.json`);
    assert.equal(JSON.parse(collection.bytes).item.length, 1);
    const [command] = await downloads('[data-export=curl]');
    assert.equal(command.name, `incident-${hostile.id}.sh`);
    assert.match(command.bytes.toString(), /^curl -sS /);
    const [archive] = await downloads('[data-export=har]');
    assert.equal(JSON.parse(archive.bytes).log.version, '1.2');
    await show(binary);
    const files = await downloads('[data-export=postman]', 2);
    const body = files.find(({ name }) => name === `incident-${binary.id}.body`);
    const captured = await (await fetch(`${origin}/v2/admin/incidents/${binary.id}`, { headers: admin })).json();
    assert.equal(body.bytes.toString('base64'), captured.request.body.base64);
    assert.match(await notice().innerText(), /working directory/);
  });
  await check('an incident is marked as resolved, found by its state, and marked as unresolved', async () => {
    await page.click('#resolve');
    await page.locator('#resolve', { hasText: 'Mark as unresolved' }).waitFor();
    assert.equal(await focused(page), 'resolve');
    await visit(LIST);
    await filter({ resolved: 'true' });
    await row(binary).waitFor();
    assert.equal(await row(binary).locator('.state').innerText(), 'resolved');
    await show(binary);
    await page.click('#resolve');
    await page.locator('#resolve', { hasText: 'Mark as resolved' }).waitFor();
  });
  await check('an incident is shown after a reload and deleted after confirmation', async () => {
    await page.reload();
    await page.locator('#incident').waitFor();
    await answer(page.locator('#delete'), 'Cancel');
    assert.ok(await page.locator('#incident').isVisible());
    await answer(page.locator('#delete'), 'Delete incident');
    await seesNotice('deleted');
    assert.equal(new URL(page.url()).search, '');
    assert.equal(await focused(page), 'content');
    await visit(LIST);
    assert.equal(await row(binary).count(), 0);
  });
  await check('an incident that does not exist is explained, and the list stays within reach', async () => {
    for (const [id, text] of [[binary.id, 'does not exist'], ['99999', 'does not exist'], ['x<b>', 'is not the ID']]) {
      await page.goto(`${origin}/console/incidents?id=${encodeURIComponent(id)}`);
      await page.locator('#notice.error', { hasText: text }).waitFor();
      await groups().first().waitFor();
    }
    await fetch(`${origin}/v2/admin/incidents/${hostile.id}`, { method: 'DELETE', headers: admin });
  });
}

async function users(user) {
  await check('users are found by a part of their name, and shown without interpreting markup', async () => {
    await visit('/console/users');
    await filter({ q: visitor.email.toUpperCase() });
    await rowOf(visitor.email).waitFor();
    assert.equal(await rows().count(), 1);
    assert.ok((await rowOf(visitor.email).innerText()).includes('<b>Ada</b>'));
    await inspect(page, 'users');
  });
  await check('users are found by their ID, and characters that reverse a name are visible', async () => {
    for (const text of [String(user.id), `user ${user.id}`, `user:${user.id}`, `#${user.id}`]) {
      await filter({ q: text });
      await rowOf(visitor.email).waitFor();
      await loaded();
      assert.equal(await rows().count(), 1, text);
    }
    await filter({ q: `user:${user.id}`, role: 'admin' });
    await page.locator('#rows', { hasText: `No account with the ID ${user.id} matches these filters.` }).waitFor();
    await filter({ q: 'user 999999', role: '' });
    await page.locator('#rows', { hasText: 'No account with the ID 999999' }).waitFor();
    const body = JSON.stringify({ ...visitor, email: `bidi-${visitor.email}`, name: 'evil\u202etxt.exe' });
    assert.equal((await fetch(`${origin}/v2/auth/register`, { method: 'POST', headers: json, body })).status, 201);
    await filter({ q: `bidi-${visitor.email}` });
    assert.equal(await rowOf('bidi-').locator('td[data-label=Name]').innerText(), 'evil\\u202etxt.exe');
    await filter({ q: visitor.email });
    // The former filter is a part of this address, too.
    await page.waitForFunction(() => document.querySelectorAll('#rows tbody tr').length === 2);
    await filter({ q: `user:${user.id}` });
    await page.waitForFunction(() => document.querySelectorAll('#rows tbody tr').length === 1);
  });
  await check('a user is disabled, enabled, made an administrator and deleted, and the focus stays in the list', async () => {
    const row = rowOf(visitor.email);
    const button = (name) => row.getByRole('button', { name: `${name}: ${visitor.email}` });
    await answer(button('Disable'), 'Cancel');
    assert.equal(await row.locator('.state').innerText(), 'enabled');
    await answer(button('Disable'), 'Disable');
    await seesNotice('is disabled');
    assert.equal(await row.locator('.state').innerText(), 'disabled');
    assert.equal(await focused(page), 'TR');
    await button('Enable').click();
    await seesNotice('is enabled');
    const notices = row.locator('td[data-label=Notices]');
    await answer(button('Disable notices'), 'Disable notices');
    await seesNotice('are disabled');
    assert.equal(await notices.innerText(), 'disabled');
    await button('Enable notices').click();
    await seesNotice('are enabled');
    assert.equal(await notices.innerText(), 'enabled');
    await answer(button('Make administrator'), 'Change role');
    await seesNotice('has the role admin');
    await answer(button('Make user'), 'Change role');
    await seesNotice('has the role user');
    await answer(button('Delete'), 'Delete account');
    await seesNotice(' deleted.');
    assert.equal(await rows().count(), 0);
    assert.equal(await focused(page), 'content');
  });
  await check('an error of the server is shown, and the row stays', async () => {
    await visit(`/console/users?q=${encodeURIComponent(email)}`);
    const button = rowOf(email).getByRole('button', { name: 'Make user' });
    assert.equal(await button.isDisabled(), true, 'the last administrator keeps the role');
    // As if the page was loaded before this account became the last administrator.
    await button.evaluate((element) => { element.disabled = false; });
    await answer(button, 'Change role');
    await page.locator('#notice.error', { hasText: 'last' }).waitFor();
    assert.equal(await rowOf(email).locator('td[data-label=Role]').innerText(), 'admin');
  });
  await check('the audit of a user shows the changes', async () => {
    await visit('/console/users');
    await rowOf(email).waitFor();
    const [changes, actions] = await rowOf(email).locator('td[data-label=History] a').evaluateAll((all) => all.map(({ pathname, search }) => pathname + search));
    assert.match(changes, /^\/console\/audit\?target_type=user&target_id=\d+$/);
    assert.match(actions, /^\/console\/audit\?actor_id=\d+$/);
    await visit(`/console/audit?target_type=user&target_id=${user.id}`);
    await rowOf('user.deleted').waitFor();
    assert.ok(await rowOf('user.role_changed').count() === 2);
    assert.equal(await page.inputValue('#filters [name=target_type]'), 'user');
  });
}

async function audit() {
  await check('audit events are filtered by action and downloaded as CSV', async () => {
    await visit('/console/audit');
    await filter({ action: 'login.succeeded' });
    await page.waitForURL('**?action=login.succeeded');
    await loaded();
    const actions = await page.locator('#rows td[data-label=Action]').allInnerTexts();
    assert.ok(actions.length > 0 && actions.every((action) => action === 'login.succeeded'), `${actions}`);
    const [file] = await downloads('#csv');
    assert.equal(file.name, 'audit.csv');
    await inspect(page, 'audit');
  });
  await check('“Show more” loads the next page and moves the focus to it', async () => {
    await page.click('#filters button[type=reset]');
    await loaded();
    const more = page.getByRole('button', { name: 'Show more' });
    await more.waitFor();
    const before = await rows().count();
    assert.equal(before, 20);
    await more.focus();
    await page.keyboard.press('Enter');
    await seesNotice('entries are shown');
    assert.ok(await rows().count() > before);
    assert.equal(await page.evaluate(() => [...document.querySelectorAll('#rows tbody tr')].indexOf(document.activeElement)), before);
  });
}

async function apiClients() {
  const name = `Client ${unique} <i>`;
  await check('an API client is created, and its key is shown once', async () => {
    await visit('/console/api-clients');
    await page.locator('#create summary').click();
    await page.fill('#new [name=name]', name);
    await page.fill('#new [name=contact_email]', 'ops@example.com');
    await page.check('#new [value=write]');
    await page.fill('#new [name=rate_limit]', '60');
    await inspect(page, 'api-clients');
    await page.click('#new button');
    await page.locator('#key-panel').waitFor();
    await rowOf(name).waitFor();
    assert.equal(await focused(page), 'key-panel');
    const key = await page.locator('#key').innerText();
    const response = await fetch(`${origin}/v2/bucketlists`, { headers: { 'X-API-Key': key } });
    assert.equal(response.status, 200, key);
    await shot(page, 'api-client-key');
    // The key is not lost by accident.
    const asked = page.waitForEvent('dialog');
    const left = page.locator('.sections a[data-key=s]').click();
    const question = await asked;
    assert.equal(question.type(), 'beforeunload');
    await question.dismiss();
    await left;
    assert.equal(await page.locator('#key').innerText(), key);
    await rowOf(name).getByRole('button', { name: `Rotate key: ${name}` }).click();
    await seesNotice(`Store the key of ${name} first`);
    await page.click('#hide-key');
    await page.reload();
    await rowOf(name).waitFor();
    assert.ok(await page.locator('#key-panel').isHidden());
    assert.ok(!(await page.content()).includes(key));
  });
  await check('deprecation notices to an API client are disabled and enabled', async () => {
    const button = (text) => rowOf(name).getByRole('button', { name: `${text}: ${name}` });
    await answer(button('Disable notices'), 'Disable notices');
    await seesNotice('are disabled');
    assert.equal(await rowOf(name).locator('td[data-label=Notices]').innerText(), 'disabled');
    await button('Enable notices').click();
    await seesNotice('are enabled');
    assert.equal(await rowOf(name).locator('td[data-label=Notices]').innerText(), 'enabled');
  });
  await check('a revoked API client has no key in the page, and the account is entered as an email address', async () => {
    await visit('/console/api-clients');
    await page.locator('#create summary').click();
    await page.fill('#new [name=name]', `Short ${unique}`);
    await page.fill('#new [name=contact_email]', 'ops@example.com');
    await page.fill('#new [name=user_id]', 'nobody@example.com');
    await page.click('#new button');
    await seesNotice('No account has the email address “nobody@example.com”.');
    await page.fill('#new [name=user_id]', 'demo@example.com');
    await page.click('#new button');
    await page.locator('#key-panel', { hasText: `Short ${unique}` }).waitFor();
    await filter({ user_id: 'demo@example.com' });
    await page.waitForURL(/\?user_id=\d+$/);
    await rowOf(`Short ${unique}`).waitFor();
    await answer(rowOf(`Short ${unique}`).getByRole('button', { name: /^Revoke/ }), 'Revoke');
    await seesNotice(' revoked.');
    assert.ok(await page.locator('#key-panel').isHidden());
    await page.click('#filters button[type=reset]');
    await rowOf(name).waitFor();
  });
  await check('a key is rotated', async () => {
    const rotate = rowOf(name).getByRole('button', { name: `Rotate key: ${name}` });
    await rotate.click();
    await page.selectOption('#dialog select', '0');
    await page.locator('#dialog button', { hasText: 'Rotate key' }).click();
    await page.locator('#key-panel', { hasText: 'new key' }).waitFor();
    const key = await page.locator('#key').innerText();
    assert.equal((await fetch(`${origin}/v2/bucketlists`, { headers: { 'X-API-Key': key } })).status, 200);
    await page.click('#hide-key');
    await answer(rowOf(name).getByRole('button', { name: `Revoke: ${name}` }), 'Revoke');
    await seesNotice(' revoked.');
    assert.equal(await rowOf(name).count(), 0);
    assert.equal((await fetch(`${origin}/v2/bucketlists`, { headers: { 'X-API-Key': key } })).status, 401);
  });
  await check('an invalid form is explained, and an ended session loses no input', async () => {
    await page.locator('#create summary').click();
    await page.fill('#new [name=name]', 'Kept');
    await page.fill('#new [name=contact_email]', 'kept@example.com');
    await page.fill('#new [name=user_id]', '99999999');
    await page.click('#new button');
    await page.locator('#notice.error').waitFor();
    assert.equal(await page.inputValue('#new [name=name]'), 'Kept');
    await endSession();
    await page.click('#new button');
    const dialog = page.locator('#login-dialog[open]');
    await dialog.waitFor();
    await page.locator('#login-reason', { hasText: 'Your session has ended. Log in again: your input is still there' }).waitFor();
    // The page with its input is behind the dialog.
    assert.ok(await page.locator('#view').isVisible());
    assert.deepEqual([await page.inputValue('#login-email'), await focused(page)], [email, 'login-password']);
    await inspect(page, 'login-again', { fullPage: false });
    await submitLogin({ email, password: `${password}-wrong` });
    await page.locator('#login-reason', { hasText: 'password' }).waitFor();
    await submitLogin({ email, password });
    await dialog.waitFor({ state: 'detached' });
    // The request is sent again: the error is that of the account ID.
    await page.locator('#notice.error', { hasText: 'user_id' }).waitFor();
    assert.equal(await page.inputValue('#new [name=name]'), 'Kept');
    await page.fill('#new [name=user_id]', '');
    await page.fill('#new [name=name]', `Kept ${unique}`);
    await endSession();
    await page.click('#new button');
    await dialog.waitFor();
    await submitLogin({ email, password });
    await page.locator('#key-panel', { hasText: `Kept ${unique}` }).waitFor();
    await page.click('#hide-key');
    await answer(rowOf(`Kept ${unique}`).getByRole('button', { name: /^Revoke/ }), 'Revoke');
  });
  await check('a session that has ended can be left, which shows the form to log in', async () => {
    await visit('/console/users');
    // A request that is still running would show the form before the click.
    await rows().first().waitFor();
    await page.waitForLoadState('networkidle');
    await endSession();
    await page.click('#filters button[type=submit]');
    await page.locator('#login-dialog[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#login-dialog[open]').waitFor({ state: 'detached' });
    await loggedOut();
    await submitLogin({ email, password });
    await rows().first().waitFor();
  });
}

async function exportsOfUsers() {
  await check('exports of all users are listed, cancelled and downloaded', async () => {
    const created = await fetch(`${origin}/v2/exports`, { method: 'POST', headers: { ...admin, ...json }, body: '{"format":"csv"}' });
    const { id } = await created.json();
    const row = page.locator('#rows tbody tr', { has: page.locator('td[data-label=ID]', { hasText: new RegExp(`^${id}$`) }) });
    for (let tries = 0; tries < 200; tries += 1) {
      const { state } = await (await fetch(`${origin}/v2/exports/${id}`, { headers: admin })).json();
      if (state === 'finished') break;
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
    await visit('/console/exports');
    await row.locator('.state', { hasText: 'finished' }).waitFor();
    await inspect(page, 'exports');
    const [file] = await downloads(`button[aria-label="Download: export ${id}"]`);
    assert.equal(file.name, `bucketlists-${id}.csv`);
    assert.match(file.bytes.toString(), /^type,id,bucketlist_id,/);
    // The export of another user has no download.
    const other = page.locator('#rows tbody tr', { hasText: 'user 2' }).first();
    assert.equal(await other.getByRole('button', { name: /^Download/ }).count(), 0);
    // An export that is waiting for a worker, as the API returns it.
    await page.route('**/v2/admin/exports?*', async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      Object.assign(body.data[0], { state: 'queued', records: null, finished_at: null });
      body.data[0]._links.cancel = { href: '/v2/admin/jobs/999999999/cancel', method: 'POST' };
      await route.fulfill({ response, json: body });
    });
    await visit('/console/exports');
    await answer(page.getByRole('button', { name: /^Cancel: export/ }), 'Cancel export');
    await page.locator('#notice.error', { hasText: 'job' }).waitFor();
    await page.unroute('**/v2/admin/exports?*');
    await filter({ state: 'failed' });
    await page.locator('#rows', { hasText: 'Nothing matches these filters.' }).waitFor();
  });
}

async function jobs() {
  await check('jobs and recurring tasks are listed, and filtered by state and kind', async () => {
    await visit('/console/jobs');
    await page.locator('#schedules tbody tr').first().waitFor();
    await rows().first().waitFor();
    const kind = await rows().first().locator('td[data-label=Kind] span').first().innerText();
    await inspect(page, 'jobs');
    await filter({ kind: kind.toUpperCase().replaceAll('_', '-') });
    await page.waitForURL(`**?kind=${kind}`);
    await loaded();
    const kinds = await page.locator('#rows td[data-label=Kind] > div > span:first-child').allInnerTexts();
    assert.ok(kinds.length > 0 && kinds.every((other) => other === kind), `${kinds}`);
    await filter({ kind: 'no_such_kind' });
    await page.locator('#rows', { hasText: 'Nothing matches these filters.' }).waitFor();
    await page.click('#filters button[type=reset]');
    await rows().first().waitFor();
  });
  await check('a job is cancelled and retried, and the focus stays in the list', async () => {
    // The job of the sample data is due in 50 minutes.
    await filter({ kind: 'welcome_mail' });
    const row = rowOf('cannot send mail: connection refused').first();
    await row.waitFor();
    const id = await row.locator('td[data-label=ID]').innerText();
    const button = (name) => row.getByRole('button', { name: `${name}: job ${id}` });
    await answer(button('Cancel'), 'Cancel job');
    await seesNotice(' cancelled.');
    assert.equal(await row.locator('.state').innerText(), 'cancelled');
    assert.equal(await focused(page), 'TR');
    await button('Retry').click();
    await seesNotice('is due now');
    // The row shows the result of the attempt without a reload.
    await page.locator('#notice', { hasText: /^Job \d+: done\.$/ }).waitFor({ timeout: 30_000 });
    assert.equal(await page.locator('#rows tr', { has: page.getByRole('button', { name: `Delete: job ${id}` }) }).locator('.state').innerText(), 'done');
    await answer(page.getByRole('button', { name: `Delete: job ${id}` }), 'Cancel');
    assert.equal(await page.getByRole('button', { name: `Delete: job ${id}` }).count(), 1);
  });
  await check('a task that runs now shows its result', async () => {
    await page.getByRole('button', { name: 'Run now: purge' }).click();
    await page.locator('#notice', { hasText: 'The task purge: succeeded.' }).waitFor({ timeout: 30_000 });
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Run now: purge');
    assert.match(await page.locator('#schedules tr', { hasText: 'purge' }).locator('td[data-label="Last run"]').innerText(), /^now$|^\d+ s ago$/);
  });
}

async function failures() {
  await check('an unreachable server is explained', async () => {
    await page.route('**/v2/admin/**', (route) => route.abort());
    await page.goto(`${origin}/console/users`);
    await page.locator('#notice.error', { hasText: 'unreachable' }).waitFor();
    await inspect(page, 'unreachable');
    await page.unroute('**/v2/admin/**');
    await page.click('#notice-actions button');
    await rowOf(email).first().waitFor();
    assert.ok(await page.locator('#notice-actions').isHidden());
  });
  await check('an error of the server has its request ID and a link to the incident', async () => {
    const problem = { type: '/problems/internal-error', title: 'Internal error', status: 500, detail: 'An internal error occurred.', code: 'INTERNAL_ERROR' };
    await page.route('**/v2/admin/jobs?*', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', headers: { 'X-Request-ID': 'the-failed-request' }, body: JSON.stringify(problem) }));
    await page.goto(`${origin}/console/jobs`);
    await page.locator('#notice.error', { hasText: 'An internal error occurred. Request ID: the-failed-request.' }).waitFor();
    assert.equal(await page.locator('#notice-actions a').getAttribute('href'), '/console/incidents?request_id=the-failed-request');
    await page.unroute('**/v2/admin/jobs?*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await rows().first().waitFor();
  });
  await check('an administrator who loses the role sees the reason', async () => {
    await visit('/console/users');
    // The list loads before the role is lost.
    await rows().first().waitFor();
    const forbidden = { type: '/problems/forbidden', title: 'Forbidden', status: 403, detail: 'This operation is for administrators.', code: 'FORBIDDEN' };
    await page.route('**/v2/admin/**', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(forbidden) }));
    await page.route('**/v2/users/me', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...await response.json(), role: 'user' } });
    });
    await page.click('#filters button[type=submit]');
    await seesNotice('is no longer an administrator');
    assert.ok(await page.locator('#forbidden').isVisible() && await page.locator('#view').isHidden());
    await page.unroute('**/v2/admin/**');
    await page.unroute('**/v2/users/me');
  });
  await check('a rejected access token is refreshed, and logout clears the storage', async () => {
    await page.evaluate((key) => {
      const session = JSON.parse(localStorage.getItem(key));
      localStorage.setItem(key, JSON.stringify({ ...session, access_token: 'no.longer.valid' }));
    }, STORAGE_KEY);
    await visit('/console/users');
    await rows().first().waitFor();
    await page.click('#logout');
    await seesNotice('Logged out.');
    await loggedOut();
    assert.equal(await focused(page), 'login-email');
    assert.equal(await page.evaluate((key) => localStorage.getItem(key), STORAGE_KEY), null);
  });
}

await run(async () => {
  // A deprecated operation of v1, so that there is a caller.
  assert.equal((await fetch(`${origin}/v1/bucketlists`, { headers: admin })).status, 200);
  await capture('/v2/bucketlists/999999997');
  await capture('/v2/bucketlists/999999998');
  const hostile = await capture('/v2/bucketlists/999999999?include=items', { headers: { 'User-Agent': MARKUP } });
  const binary = await capture('/v2/bucketlists', { method: 'POST', headers: { ...json, 'Content-Encoding': 'gzip' }, body: gzipSync('{"name": "x"}') });
  const item = { number: 1, text: 'one of many' };
  const huge = await capture('/v2/bucketlists', { method: 'POST', headers: json, body: JSON.stringify({ name: 'x', rows: Array(1000).fill(item) }) });
  const user = await register();
  const opened = await open('/console');
  page = opened.page;
  const csp = opened.response.headers()['content-security-policy'];
  assert.match(csp, /default-src 'none'/);
  assert.doesNotMatch(csp, /unsafe|data:/);
  try {
    await session();
    const sections = { overview, usage, incidents: () => incidents(hostile, binary, huge), audit, users: () => users(user), apiClients, jobs, exportsOfUsers, failures };
    const selected = (process.env.SECTIONS ?? Object.keys(sections).join(' ')).split(' ');
    for (const name of selected) await sections[name]();
    opened.trouble.assertNone();
  } catch (error) {
    await shot(page, 'failed', { fullPage: true });
    throw error;
  }
});
