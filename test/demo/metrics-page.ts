/** The demo's two metric pages: checkout speaks the Prometheus text format, inventory speaks OpenMetrics. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ShopCounts } from './shop.ts';

export function checkoutPage({ orders, declined, checkoutSeconds }: ShopCounts): string {
  return `# HELP http_requests_total Requests by result.
# TYPE http_requests_total counter
http_requests_total{method="POST",path="/orders",code="201"} ${orders - declined}
http_requests_total{method="POST",path="/orders",code="402"} ${declined}
# HELP http_request_duration_seconds Time to place an order.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.01"} 0
http_request_duration_seconds_bucket{le="0.05"} ${orders}
http_request_duration_seconds_bucket{le="+Inf"} ${orders}
http_request_duration_seconds_sum ${checkoutSeconds}
http_request_duration_seconds_count ${orders}
`;
}

export function inventoryPage({ orders }: ShopCounts): string {
  return `# HELP inventory_reservations Reserved items.
# TYPE inventory_reservations counter
inventory_reservations_total{warehouse="north"} ${Math.floor(orders / 2)}
inventory_reservations_total{warehouse="south"} ${Math.ceil(orders / 2)}
# HELP inventory_stock_items Items on the shelves.
# TYPE inventory_stock_items gauge
inventory_stock_items{warehouse="north"} ${1000 - (orders % 500)}
inventory_stock_items{warehouse="south"} ${1000 - (orders % 300)}
# EOF
`;
}

/** Serves /metrics on a free port of 127.0.0.1; returns the address as `host:port`. */
export async function serveMetricsPage(
  page: () => string,
  contentType: string,
): Promise<{ readonly address: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': contentType }).end(page());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
