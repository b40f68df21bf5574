/**
 * Which formats a target is asked for, and which one it answered in (Prometheus 3, scrape_protocols).
 *
 *   acceptHeader(['OpenMetricsText1.0.0', 'PrometheusText0.0.4'])
 *     ->  application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,* / *;q=0.4
 */
import { ScrapeError } from './scrape-error.ts';
import { type ScrapeProtocol, scrapeProtocols } from './scrape-settings.ts';
import type { PageFormat } from './scraped-page.ts';

const protobufMessage = 'io.prometheus.client.MetricFamily';

interface Protocol {
  readonly accept: string;
  readonly format: PageFormat;
}

const protocols: Readonly<Record<ScrapeProtocol, Protocol>> = {
  PrometheusProto: {
    accept: `application/vnd.google.protobuf;proto=${protobufMessage};encoding=delimited`,
    format: 'protobuf',
  },
  'OpenMetricsText1.0.0': {
    accept: 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8',
    format: 'openmetrics',
  },
  'OpenMetricsText0.0.1': { accept: 'application/openmetrics-text;version=0.0.1', format: 'openmetrics' },
  'PrometheusText1.0.0': { accept: 'text/plain;version=1.0.0;escaping=allow-utf-8', format: 'text' },
  'PrometheusText0.0.4': { accept: 'text/plain;version=0.0.4', format: 'text' },
};

export interface NegotiatedFormat {
  readonly format: PageFormat;
  /** What the target stated, where that is no metrics format and the fallback was taken; else ''. */
  readonly statedType: string;
}

/** Returns the Accept header: the first protocol is liked best, anything is taken in the end. */
export function acceptHeader(wanted: readonly ScrapeProtocol[]): string {
  const weightMax = scrapeProtocols.length + 1;
  const accepted = wanted.map((protocol, i) => `${protocols[protocol].accept};q=0.${weightMax - i}`);
  return [...accepted, `*/*;q=0.${weightMax - wanted.length}`].join(',');
}

/** Returns the format of an answer. Throws ScrapeError where it states none that is known and there is no fallback. */
export function negotiatedFormat(
  contentType: string | undefined,
  fallback: ScrapeProtocol | undefined,
  shownUrl: string,
): NegotiatedFormat {
  const [type = '', ...parameterTexts] = (contentType ?? '').split(';').map((part) => part.trim());
  const statedType = type.toLowerCase();
  if (statedType === 'text/plain') return { format: 'text', statedType: '' };
  if (statedType === 'application/openmetrics-text') return { format: 'openmetrics', statedType: '' };
  if (statedType === 'application/vnd.google.protobuf') {
    const parameters = new Map(parameterTexts.map(parseParameter));
    if (parameters.get('proto') === protobufMessage && parameters.get('encoding') === 'delimited') {
      return { format: 'protobuf', statedType: '' };
    }
  }
  if (fallback !== undefined) return { format: protocols[fallback].format, statedType };
  throw new ScrapeError(
    contentType === undefined
      ? `${shownUrl} states no content type: set a fallback protocol if it answers metrics`
      : `${shownUrl} answered ${shortened(contentType)}, not a metrics format: check the path, or set a fallback protocol`,
  );
}

function parseParameter(text: string): [name: string, value: string] {
  const [name = '', value = ''] = text.split('=', 2);
  return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}
