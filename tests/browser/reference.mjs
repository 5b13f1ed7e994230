// Tests the reference and the guides in Chromium: content, search, language tabs, keyboard, accessibility, and a slow connection.
//
//   node reference.mjs BASE_URL [SCREENSHOT_DIR]
//
//   CHROMIUM   default /usr/bin/chromium
import assert from 'node:assert/strict';
import { focused, start } from './support.mjs';

const [base, shots] = process.argv.slice(2);
if (!base) {
  console.error('usage: node reference.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const { check, inspect, open, origin, run, shot } = await start({ base, shots, prefix: 'reference-' });
const PHONE = { width: 390, height: 844 };
/** What a reader on a phone waits at most for the first text, and what the page may transfer until then. */
const FIRST_TEXT_MS = 1_000;
const MAX_BYTES = 40_000;

/** Every operation of a document is on a page, with its samples. */
async function everyOperation(page, contract) {
  const document = await (await page.request.get(`${origin}/openapi/${contract}.json`)).json();
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path)).filter((it) => it?.operationId);
  await page.goto(`${origin}/reference/${contract}`);
  const links = await page.locator('main .operations a').evaluateAll((all) => all.map((link) => [link.textContent, link.href]));
  assert.equal(links.length, operations.length);
  const pages = new Set(links.map(([, href]) => href.split('#')[0]));
  const found = new Map();
  for (const url of pages) {
    await page.goto(url);
    const sections = await page.locator('.operation').evaluateAll((all) => all.map((it) => [it.id, it.querySelector('h2').textContent, it.querySelectorAll('[role=tab]').length]));
    for (const [id, ...content] of sections) found.set(id, content);
  }
  for (const { operationId, summary } of operations) {
    const [heading, tabs] = found.get(operationId) ?? [];
    assert.ok(heading?.startsWith(summary), `${operationId}: "${summary}" is not displayed`);
    assert.equal(tabs, 7, `${operationId} has ${tabs} languages`);
  }
}

async function languages(page) {
  const shown = () => page.locator('.samples pre:visible').evaluateAll((all) => [...new Set(all.map((it) => it.dataset.language))]);
  await page.goto(`${origin}/reference/v2/items`);
  assert.deepEqual(await shown(), ['curl']);
  const tab = (name) => page.locator('#createItem').getByRole('tab', { name, exact: true });
  const top = async () => (await tab('Python').boundingBox()).y;
  await tab('Python').scrollIntoViewIfNeeded();
  const before = await top();
  await tab('Python').click();
  assert.deepEqual(await shown(), ['python']);
  assert.ok(Math.abs(await top() - before) < 2, 'the selected tab has moved');
  await page.keyboard.press('ArrowRight');
  assert.deepEqual(await shown(), ['typescript']);
  assert.equal(await tab('TypeScript').getAttribute('aria-selected'), 'true');
  assert.ok((await page.locator('#createItem pre:visible').first().innerText()).includes('crypto.randomUUID()'));
  await page.goto(`${origin}/reference/v1/items`);
  assert.deepEqual(await shown(), ['typescript'], 'the language is not remembered');
  await page.evaluate(() => localStorage.clear());
}

async function search(page) {
  await page.goto(`${origin}/reference`);
  const find = async (text, result, url) => {
    await page.keyboard.press('Control+k');
    await page.locator('#search-text').fill(text);
    await page.locator('#search-results li').first().waitFor();
    assert.match(await page.locator('#search-results li[aria-selected=true]').innerText(), result, text);
    if (text === 'create item') await inspect(page, 'search', { fullPage: false });
    await page.keyboard.press('Enter');
    await page.waitForURL(origin + url);
  };
  await find('create item', /^Create an item\n/, '/reference/v2/items#createItem');
  // A parameter, an error code, a path and a guide.
  await find('due_before', /^List items\n/, '/reference/v2/items#listItems');
  await find('bucketlist_name_taken', /^BUCKETLIST_NAME_TAKEN\n/, '/problems/bucketlist-name-taken');
  await page.goto(`${origin}/guides/errors`);
  await find('/v2/admin/audit', /^List audit events\n/, '/reference/v2/admin#listAuditEvents');
  await find('idempotency', /^Idempotency\n/, '/guides/idempotency');
  // The summary of a guide, its text, its code blocks and the headers that it explains.
  for (const [text, result, url] of [
    ['etag', /^Conditional requests\n/, '/guides/conditional-requests'],
    ['lost update', /^Conditional requests\n/, '/guides/conditional-requests'],
    ['csv', /^Pagination\n/, '/guides/pagination'],
    ['x-api-key', /^API keys\n/, '/guides/authentication#api-keys'],
  ]) {
    await page.goto(`${origin}/reference`);
    await find(text, result, url);
  }
  for (const [text, title] of [['access_token', 'Authentication'], ['NDJSON', 'Download a whole list'], ['page size', 'Pagination']]) {
    await page.keyboard.press('Control+k');
    await page.locator('#search-text').fill(text);
    await page.locator('#search-results li', { hasText: title }).first().waitFor();
    await page.keyboard.press('Escape');
  }
  // A header in the text of a guide, a heading, and a page of the console.
  await find('X-Debug-Capture', /^Capture and replay a failure\n/, '/guides/errors#capture-and-replay-a-failure');
  await page.goto(`${origin}/reference`);
  await find('capture', /^Capture and replay a failure\n/, '/guides/errors#capture-and-replay-a-failure');
  await page.goto(`${origin}/reference`);
  await page.keyboard.press('Control+k');
  await page.locator('#search-text').fill('v1 consumers');
  assert.match(await page.locator('#search-results li[aria-selected=true]').innerText(), /^Consumers of v1\n/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await page.locator('#search-text').fill('<b>zzz');
  await page.getByText('No results for “<b>zzz”.').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#search-open').click();
  assert.equal(await focused(page), 'search-text');
  await page.getByRole('button', { name: 'Close' }).click();
  assert.equal(await focused(page), 'search-open');
}

async function slowPhone(path) {
  const { page } = await open('/robots.txt', { viewport: PHONE });
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('Network.enable');
  // "Slow 4G" of Lighthouse, with a slower processor.
  await protocol.send('Network.emulateNetworkConditions', { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 90_000 });
  await protocol.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  let bytes = 0;
  protocol.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
  const times = [];
  // The first load compresses the files. A busy machine can delay one load, but not three.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    bytes = 0;
    await protocol.send('Network.clearBrowserCache');
    await page.goto(origin + path, { waitUntil: 'load' });
    const { startTime } = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]);
    if (attempt > 0) times.push(Math.round(startTime));
  }
  assert.ok(Math.min(...times) < FIRST_TEXT_MS, `first text of ${path} after ${times} ms`);
  assert.ok(bytes < MAX_BYTES, `${path} transfers ${bytes} bytes`);
  await page.context().close();
  return `${Math.min(...times)} ms, ${bytes} bytes`;
}

await run(async () => {
  const { page, trouble, response } = await open('/reference');
  await check('the reference has a strict policy, and its former path leads there', async () => {
    const csp = response.headers()['content-security-policy'] ?? '';
    assert.match(csp, /script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(csp, /unsafe|sha256|data:/);
    await page.goto(`${origin}/redoc?contract=v1`);
    assert.equal(page.url(), `${origin}/reference/v1`);
  });
  for (const contract of ['v2', 'v1']) {
    await check(`every operation of ${contract} is in the reference`, () => everyOperation(page, contract));
  }
  for (const [path, name] of [['/reference', 'overview'], ['/reference/v2/items', 'items'], ['/reference/v2/incidents', 'incidents'], ['/reference/v1/users', 'deprecated'], ['/guides', 'guides'], ['/guides/errors', 'guide'], ['/guides/changelog', 'changelog']]) {
    await check(`${path} is accessible and fits every width`, async () => {
      await page.goto(origin + path);
      await inspect(page, name, { fullPage: false });
    });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await check('the selected language applies to all samples and is remembered', () => languages(page));
  await check('the search finds operations, parameters, error codes and guides with the keyboard', () => search(page));
  await check('the address of an operation scrolls to its heading', async () => {
    await page.goto('about:blank');
    await page.goto(`${origin}/reference/v2/items#deleteItem`);
    await page.waitForFunction(() => {
      const heading = document.getElementById('deleteItem-title').getBoundingClientRect();
      return scrollY > 0 && heading.top >= document.querySelector('.bar').getBoundingClientRect().bottom && heading.top < innerHeight / 2;
    });
    await shot(page, 'deep-link');
    await page.getByRole('link', { name: 'Try it: Delete an item' }).click();
    await page.waitForURL(`${origin}/docs?contract=v2#/Items/deleteItem`);
  });
  await check('the navigation marks the displayed operation', async () => {
    const marked = () => page.locator('.side [aria-current=location]').evaluateAll((all) => all.map(({ hash }) => hash));
    await page.goto(`${origin}/reference/v2/bucketlists#createBucketlist`);
    await page.waitForFunction(() => document.querySelector('.side [aria-current=location]')?.hash === '#createBucketlist');
    await page.locator('.side a[href="#deleteBucketlist"]').click();
    await page.waitForFunction(() => document.querySelector('.side [aria-current=location]')?.hash === '#deleteBucketlist');
    assert.deepEqual(await marked(), ['#deleteBucketlist']);
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForFunction(() => !document.querySelector('.side [aria-current=location]'));
  });
  await check('the skip link moves the focus to the content', async () => {
    await page.goto(`${origin}/guides/errors`);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), 'content');
  });
  trouble.assertNone();
  await check('the pages can be read without a script', async () => {
    const { page: plain } = await open('/reference/v2/items', { javaScriptEnabled: false, viewport: PHONE });
    assert.match(await plain.locator('#createItem pre:visible').first().innerText(), /^KEY=.*\ncurl /);
    await plain.getByText('Contents').click();
    await plain.getByRole('link', { name: 'Search', exact: true }).click();
    assert.equal(await plain.locator('h1').innerText(), 'Search v2');
    await plain.context().close();
  });
  for (const path of ['/reference', '/reference/v2/items', '/guides/quick-start']) {
    let measured = '';
    await check(`${path} on a slow phone has text within 1 s`, async () => { measured = await slowPhone(path); });
    console.log(`    ${measured}`);
  }
});
