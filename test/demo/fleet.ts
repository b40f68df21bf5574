/**
 * `npm run demo`: a small fleet of simulated containers beside a running `sonde up`, which finds their files and targets
 * below its data directory by itself. Ctrl-C ends it and says how many records each container wrote.
 *
 *   node test/demo/fleet.ts [--data ./data] [--otlp http://127.0.0.1:4318] [--orders-per-second 20] [--seconds 0]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkoutPage, inventoryPage, serveMetricsPage } from './metrics-page.ts';
import { Shop } from './shop.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: './data' },
    otlp: { type: 'string', default: 'http://127.0.0.1:4318' },
    'orders-per-second': { type: 'string', default: '20' },
    'rotate-bytes': { type: 'string', default: String(256 * 1024) },
    seconds: { type: 'string', default: '0' },
  },
});

const tickMs = 50;
const root = join(resolve(values.data), 'demo');
const ordersPerSecond = Number(values['orders-per-second']);
const stopAfterMs = Number(values.seconds) * 1000;
const shop = new Shop(root, values.otlp, Number(values['rotate-bytes']));
const checkout = await serveMetricsPage(() => checkoutPage(shop.counts), 'text/plain; version=0.0.4');
const inventory = await serveMetricsPage(
  () => inventoryPage(shop.counts),
  'application/openmetrics-text; version=1.0.0; charset=utf-8',
);
const targetsPath = join(root, 'targets/fleet.json');
mkdirSync(join(root, 'targets'), { recursive: true });
writeFileSync(
  targetsPath,
  JSON.stringify([
    { targets: [checkout.address], labels: { job: 'checkout', namespace: 'shop' } },
    { targets: [inventory.address], labels: { job: 'inventory', namespace: 'shop' } },
  ]),
);

console.log(
  `demo fleet, run ${shop.run}: ${ordersPerSecond} orders/s through web, checkout, payments, inventory`,
);
console.log(`  logs     ${join(root, 'var')}`);
console.log(
  `  metrics  http://${checkout.address}/metrics  http://${inventory.address}/metrics (OpenMetrics)`,
);
console.log(`  traces   ${values.otlp}/v1/traces`);

const startedMs = Date.now();
let owed = 0;
let lastMs = startedMs;
const timer = setInterval(() => {
  const nowMs = Date.now();
  owed += ((nowMs - lastMs) / 1000) * ordersPerSecond;
  lastMs = nowMs;
  for (; owed >= 1; owed--) shop.order();
  if (stopAfterMs > 0 && nowMs - startedMs >= stopAfterMs) void stop();
}, tickMs);

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  clearInterval(timer);
  rmSync(targetsPath, { force: true });
  await shop.close();
  checkout.server.close();
  inventory.server.close();
  const written = Object.entries(shop.logs).map(([name, log]) => `${name}=${log.seq}`);
  console.log(`wrote run=${shop.run} ${written.join(' ')}`);
  process.exit(0);
}
process.on('SIGINT', () => void stop());
process.on('SIGTERM', () => void stop());
