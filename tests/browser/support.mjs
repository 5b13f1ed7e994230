// Chromium, checks with their durations, screenshots, accessibility and layout.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { watch } from './watch.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const VIEWPORT = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Starts Chromium for the tests of a page. `shots` is the folder of the screenshots, if any; `prefix` starts their names. */
export async function start({ base, shots, prefix }) {
  const origin = new URL(base).origin;
  const passed = [];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-first-run', '--disable-quic'],
  });

  /** Opens a page and watches it for requests to other hosts, policy violations and errors. */
  async function open(path, { context: existing, status = 200, ...options } = {}) {
    const context = existing ?? await browser.newContext({ viewport: VIEWPORT, acceptDownloads: true, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const trouble = await watch(page, origin);
    const response = await page.goto(origin + path, { waitUntil: 'load' });
    assert.equal(response.status(), status, path);
    return { page, trouble, response, context };
  }

  async function check(name, body) {
    const started = Date.now();
    try {
      await body();
    } catch (error) {
      throw new Error(`${name}: ${error.message}`, { cause: error });
    }
    passed.push(`${name} (${Date.now() - started} ms)`);
    console.log(`ok  ${passed.at(-1)}`);
  }

  async function shot(target, name, options = {}) {
    if (!shots) return;
    await mkdir(shots, { recursive: true });
    await target.screenshot({ path: join(shots, `${prefix}${name}.png`), ...options });
  }

  /** Takes screenshots on a desktop and on a phone, light and dark, and asserts that no width overflows and that axe finds nothing. */
  async function inspect(page, name, { impacts, fullPage = true } = {}) {
    for (const [device, viewport] of [['phone', PHONE], ['wide', { width: 1920, height: 1080 }], ['', VIEWPORT]]) {
      await page.setViewportSize(viewport);
      assert.equal(await overflow(page), 0, `${name} scrolls horizontally at ${viewport.width} px`);
      if (device === 'wide') continue;
      for (const colorScheme of ['dark', 'light']) {
        await page.emulateMedia({ colorScheme });
        await settled(page);
        await shot(page, [name, device, colorScheme].filter(Boolean).join('-'), { fullPage });
        await assertAccessible(page, `${name} ${device} ${colorScheme}`, impacts);
      }
    }
  }

  /** Runs the body, prints failures, and closes the browser. */
  async function run(body) {
    try {
      await body();
    } catch (error) {
      console.error(`FAILED  ${error.message}`);
      if (process.env.DEBUG) console.error(error.cause?.stack ?? error.stack);
      process.exitCode = 1;
    } finally {
      await browser.close();
    }
  }

  return { browser, check, inspect, open, origin, run, shot };
}

/** Returns by how many pixels the page is wider than the window. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/**
 * Waits until the page has applied a change of the color scheme or of its size, and its transitions have ended. A frame reports changes of media
 * before it calls its callbacks.
 */
export const settled = (page) => page.evaluate(async () => {
  await new Promise((resolve) => { requestAnimationFrame(resolve); });
  const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  await Promise.allSettled(transitions.map(({ finished }) => finished));
});

/**
 * Asserts that axe finds no violation. `impacts` restricts the check to some impacts, for code that is not ours.
 */
export async function assertAccessible(page, name, impacts = null) {
  await settled(page);
  // Through the protocol, because the content security policy forbids other scripts.
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations: all } = await window.axe.run(document, { resultTypes: ['violations'] });
    return all.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ target, any }) => `${target.join(' ')}: ${any[0]?.message ?? ''}`) }));
  });
  const found = violations.filter(({ impact }) => !impacts || impacts.includes(impact));
  assert.deepEqual(found.map(({ id, impact, nodes }) => `${impact} ${id} × ${nodes.length}: ${nodes[0]}`), [], `accessibility of ${name}`);
}

/** Returns the element with the focus, as its ID or its tag. */
export const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
