// Tests the landing page, the pages of the error codes and the page for unknown paths in Chromium, and runs the commands of the quick start.
//
//   node pages.mjs BASE_URL [SCREENSHOT_DIR]
//
//   CHROMIUM   default /usr/bin/chromium
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { focused, start } from './support.mjs';

const [base, shots] = process.argv.slice(2);
if (!base) {
  console.error('usage: node pages.mjs BASE_URL [SCREENSHOT_DIR]');
  process.exit(2);
}
const { check, inspect, open, origin, run, shot } = await start({ base, shots, prefix: '' });
const execute = promisify(execFile);

await run(async () => {
  const { page, trouble, response } = await open('/');
  await check('the landing page is accessible, fits every width, and has no broken links', async () => {
    const csp = response.headers()['content-security-policy'] ?? '';
    assert.doesNotMatch(csp, /unsafe/);
    assert.match(csp, /default-src 'none'/);
    assert.ok((await page.locator('pre code').first().innerText()).includes(origin), 'the commands name this server');
    assert.equal(await page.locator('[data-state]').innerText(), 'Ready');
    assert.match(await page.locator('section[aria-labelledby=versions]').innerText(), /v1\s+Supported\. .* deprecated since \d{4}-\d\d-\d\d and will be removed on \d{4}-\d\d-\d\d/);
    // Every local link works. /health/ready may return 503.
    for (const href of await page.locator('a[href^="/"]').evaluateAll((all) => [...new Set(all.map((a) => a.pathname + a.search))])) {
      const status = (await page.request.get(origin + href)).status();
      assert.ok(status === 200 || (status === 503 && href === '/health/ready'), `${href} returned ${status}`);
    }
    await inspect(page, 'home');
  });
  await check('the commands of the quick start create a list and an item in it', async () => {
    const commands = (await page.locator('.steps pre code').allInnerTexts()).join('\n');
    // The item is the last output.
    const { stdout } = await execute('bash', ['-euc', commands]);
    const [list, item] = stdout.trim().split('\n');
    assert.match(list, /^[1-9]\d*$/, stdout);
    const created = JSON.parse(item);
    assert.equal(created.bucketlist_id, Number(list));
    assert.equal(created.name, 'See the northern lights');
    await execute('bash', ['-euc', `${commands.split('\n').slice(0, 4).join('\n')}\ncurl -sf -X DELETE $BASE_URL/v2/bucketlists/${list} -H "Authorization: Bearer $TOKEN"`]);
  });
  await check('the commands name this server without JavaScript', async () => {
    const plain = await open('/', { javaScriptEnabled: false });
    assert.ok((await plain.page.locator('pre code').first().innerText()).includes(`BASE_URL=${origin}`));
    await plain.context.close();
  });
  await check('the previews of mail are accessible and fit every width', async () => {
    await page.goto(`${origin}/console/mail`);
    assert.equal(await page.title(), 'Mail templates · Console · BucketList API');
    assert.match(await page.locator('main .note').first().innerText(), /^Sent messages are written to files in .*mail, because SMTP_URL is not set\.$/);
    await page.locator('.contents a', { hasText: 'new-login' }).click();
    assert.equal(new URL(page.url()).hash, '#new-login');
    await inspect(page, 'mail');
  });
  await check('the skip link moves the focus to the content', async () => {
    await page.goto(origin);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.getElementById('content').contains(document.activeElement)), await focused(page));
  });
  await check('the pages of the error codes are accessible, and every page has the same navigation', async () => {
    const links = () => page.locator('.site-nav a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    const expected = await links();
    for (const [path, name] of [['/problems', 'problems'], ['/problems/validation-failed', 'problem'], ['/problems/too-long', 'violation']]) {
      await page.goto(origin + path);
      assert.deepEqual(await links(), expected, path);
      await inspect(page, name);
    }
  });
  await check('the color scheme can be selected on every page and is remembered', async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(origin);
    const light = await ground();
    const button = page.locator('#theme');
    assert.equal(await button.innerText(), 'Theme: system');
    await button.click();
    await button.click();
    assert.equal(await button.innerText(), 'Theme: dark');
    const dark = await ground();
    assert.notEqual(dark, light);
    for (const path of ['/docs', '/reference', '/guides', '/problems', '/console']) {
      await page.goto(origin + path, { waitUntil: 'load' });
      assert.equal(await ground(), dark, path);
    }
    await page.locator('#theme').click();
    assert.equal(await ground(), light);
    await page.evaluate(() => localStorage.removeItem('bucketlist.theme'));
  });
  await check('an unknown path shows a page, and a trailing slash is redirected', async () => {
    const missing = await page.goto(`${origin}/no/such/page`);
    assert.equal(missing.status(), 404);
    assert.equal(await page.locator('h1').innerText(), 'Page not found');
    await inspect(page, 'not-found');
    await page.goto(`${origin}/docs/?contract=v1`);
    assert.equal(page.url(), `${origin}/docs?contract=v1`);
    await page.goto(`${origin}/problems/VALIDATION_FAILED`);
    assert.equal(page.url(), `${origin}/problems/validation-failed`);
    await shot(page, 'redirected');
  });
  for (const path of ['/robots.txt', '/favicon.svg', '/favicon.ico']) assert.equal((await page.request.get(origin + path)).status(), 200, path);
  trouble.assertNone();
});
