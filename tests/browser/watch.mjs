// Detects requests to other hosts, policy violations and page errors.
import assert from 'node:assert/strict';

/** Blocks and records requests to other hosts; records policy violations and page errors. */
export async function watch(page, origin) {
  const found = [];
  await page.context().route('**/*', (route) => {
    const url = new URL(route.request().url());
    if (url.origin === origin || !url.protocol.startsWith('http')) return route.continue();
    found.push(`request to another host: ${url.href}`);
    return route.abort();
  });
  page.on('pageerror', (error) => found.push(`page error: ${error}`));
  page.on('console', (message) => {
    // Chromium reports a 4xx response to a request as "Failed to load resource". That is not an error of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) found.push(`console: ${message.text()}`);
    if (/content security policy/i.test(message.text())) found.push(`policy: ${message.text()}`);
  });
  // A missing asset of the page is an error.
  page.on('response', (response) => {
    const asset = ['script', 'stylesheet', 'image', 'font'].includes(response.request().resourceType());
    if (asset && response.status() >= 400) found.push(`asset: ${response.status()} ${response.url()}`);
  });
  await page.exposeFunction('reportViolation', (text) => found.push(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.effectiveDirective} blocked ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  return { assertNone: () => assert.deepEqual([...new Set(found)], [], 'problems in the page') };
}
