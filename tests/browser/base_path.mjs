// Tests the pages of a server below a path of its host in Chromium: all resources, links and requests of the pages stay below the path.
//
//   node base_path.mjs BASE_URL [SCREENSHOT_DIR] [PREFIX]
//
//   ADMIN_EMAIL, ADMIN_PASSWORD   credentials of an administrator
//   CHROMIUM                      default /usr/bin/chromium
import assert from 'node:assert/strict';
import { start } from './support.mjs';

const [base, shots, prefix = ''] = process.argv.slice(2);
const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = process.env;
if (!base || !email || !password) {
  console.error('usage: ADMIN_EMAIL=… ADMIN_PASSWORD=… node base_path.mjs BASE_URL [SCREENSHOT_DIR] [PREFIX]');
  process.exit(2);
}
const { check, open, origin, run, shot } = await start({ base, shots, prefix: `base-path-${prefix}` });
const path = new URL(base).pathname.replace(/\/$/, '');
const SECTIONS = ['', '/usage', '/incidents', '/users', '/api-clients', '/jobs', '/audit'];

await run(async () => {
  const { page, trouble } = await open(`${path}/`);
  const outside = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin === origin && !`${url.pathname}/`.startsWith(`${path}/`)) outside.push(`${request.method()} ${url.pathname}`);
  });
  const failed = [];
  page.on('response', (response) => { if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`); });
  const links = () => page.locator('a[href]').evaluateAll((all) => all.map((link) => link.href));

  async function assertLinks(name) {
    const local = (await links()).filter((link) => link.startsWith(`${origin}/`));
    assert.ok(local.length > 0, `${name} has no links`);
    for (const href of new Set(local.map((link) => link.split(/[?#]/)[0]))) {
      assert.ok(`${href}/`.startsWith(`${origin}${path}/`), `${name} links to ${href}`);
    }
  }

  const loaded = () => page.waitForFunction(() => !document.getElementById('view').hidden
    && !document.getElementById('notice').textContent.endsWith('…') && !document.querySelector('[aria-busy]'));

  await check('the landing page links and refers to itself below the path', async () => {
    assert.ok((await page.locator('pre code').first().innerText()).includes(`BASE_URL=${origin}${path}\n`), 'the commands name the public URL');
    await assertLinks('the landing page');
    for (const href of new Set(await links())) {
      const { status } = await page.request.get(href).then((response) => ({ status: response.status() }));
      assert.equal(status, 200, href);
    }
    await shot(page, 'home', { fullPage: true });
  });
  await check('links between the pages work', async () => {
    for (const [text, expected] of [['Try it', '/docs'], ['Reference', '/reference'], ['Guides', '/guides'], ['Error codes', '/problems'], ['Console', '/console']]) {
      await page.locator('.site-nav a', { hasText: text }).click();
      await page.waitForURL(`${origin}${path}${expected}`);
      await assertLinks(expected);
    }
    await page.locator('.brand').click();
    await page.waitForURL(`${origin}${path}/`);
    const missing = await page.goto(`${origin}${path}/no/such/page`);
    assert.equal(missing.status(), 404);
    await assertLinks('the page for unknown paths');
    failed.length = 0;
  });
  await check('the console works in all sections', async () => {
    await page.goto(`${origin}${path}/console`);
    await page.fill('#login-email', email);
    await page.fill('#login-password', password);
    await page.click('#login button');
    await loaded();
    for (const section of SECTIONS) {
      await page.locator(`.sections a[href="${path}/console${section}"]`).click();
      await page.waitForURL(`${origin}${path}/console${section}`);
      await loaded();
      await assertLinks(`the section ${section}`);
      await shot(page, `console${section.replace('/', '-')}`, { fullPage: true });
    }
    const stored = await page.evaluate(() => Object.keys(localStorage));
    assert.ok(stored.includes(`bucketlist-session${path}`), `the session belongs to the path: ${stored}`);
  });
  await check('a request of Swagger UI is sent below the path', async () => {
    await page.goto(`${origin}${path}/docs`);
    const operation = page.locator('.opblock', { hasText: 'listBucketlists' }).first();
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('button.execute').click();
    await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor();
    const url = await operation.locator('.request-url pre').innerText();
    assert.ok(url.startsWith(`${origin}${path}/v2/bucketlists`), url);
    await shot(operation, 'docs');
  });
  await check('the reference and its search work', async () => {
    await page.goto(`${origin}${path}/redoc`);
    await page.waitForURL(`${origin}${path}/reference`);
    await page.goto(`${origin}${path}/reference/v2/bucketlists`);
    assert.equal(await page.locator('[data-origin]').first().innerText(), `${origin}${path}`);
    await assertLinks('the reference');
    await shot(page, 'reference');
    await page.keyboard.press('Control+k');
    await page.locator('#search-text').fill('bucketlist_name_taken');
    await page.locator('#search-results li').first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${origin}${path}/problems/bucketlist-name-taken`);
    await assertLinks('the page of an error code');
  });
  assert.deepEqual(outside, [], 'requests outside of the path');
  assert.deepEqual(failed, [], 'failed requests');
  trouble.assertNone();
});
