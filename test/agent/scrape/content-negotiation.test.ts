/**
 * Goal: targets are asked for formats as Prometheus 3 asks, and their answers are read as what they state.
 * Method: tables of protocols -> header, and content type -> format or the error's text.
 */
import { expect, test } from 'vitest';
import { acceptHeader, negotiatedFormat } from '#agent/scrape/content-negotiation.ts';
import { scrapeProtocols } from '#agent/scrape/scrape-settings.ts';

test('the Accept header has the protocols in their order, and anything in the end', () => {
  expect(acceptHeader(scrapeProtocols)).toBe(
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,' +
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,' +
      'application/openmetrics-text;version=0.0.1;q=0.4,' +
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,' +
      'text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
  );
  expect(acceptHeader(['PrometheusText0.0.4'])).toBe('text/plain;version=0.0.4;q=0.6,*/*;q=0.5');
});

test.each([
  ['text/plain; version=0.0.4; charset=utf-8', 'text'],
  ['TEXT/PLAIN', 'text'],
  ['application/openmetrics-text;version=0.0.1', 'openmetrics'],
  [
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
    'protobuf',
  ],
  [
    'application/vnd.google.protobuf;encoding="delimited";proto="io.prometheus.client.MetricFamily"',
    'protobuf',
  ],
])('%s is %s', (type, format) => {
  expect(negotiatedFormat(type, undefined, 'u')).toEqual({ format, statedType: '' });
});

test.each([
  ['text/html', 'u answered text/html, not a metrics format: check the path, or set a fallback protocol'],
  [undefined, 'u states no content type: set a fallback protocol if it answers metrics'],
  ['application/vnd.google.protobuf; proto=other; encoding=delimited', 'u answered application/vnd'],
])('%s is no metrics format, and read as the fallback where there is one', (type, message) => {
  expect(() => negotiatedFormat(type, undefined, 'u')).toThrow(message);
  expect(negotiatedFormat(type, 'OpenMetricsText1.0.0', 'u').format).toBe('openmetrics');
});
