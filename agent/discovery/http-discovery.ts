/**
 * Targets from a URL that answers with groups as JSON (http_sd).
 *
 *   GET http://inventory/targets  ->  [{ "targets": ["a:80"], "labels": { "zone": "b" } }]
 */
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { httpGet } from './http-get.ts';
import { startRefreshing } from './refresh-loop.ts';
import type { StartDiscovery, TargetGroup } from './target-group.ts';
import { parseTargetGroups } from './target-groups-text.ts';

/** Some ten thousand targets. */
const bodyBytesMax = 16 * 1024 * 1024;
const timeoutMsMax = 60_000;

export interface HttpDiscoveryOptions {
  readonly url: string;
  readonly refreshMs: number;
  readonly client: HttpClientSettings;
}

/** The last answer stays while the server has none. */
export function httpDiscovery({ url, refreshMs, client }: HttpDiscoveryOptions): StartDiscovery {
  return (onGroups) => {
    let etag: string | undefined;
    const shown = url.replace(/\/\/[^/@]*@/, '//');
    const refresh = async (abort: AbortSignal): Promise<readonly TargetGroup[] | undefined> => {
      const answer = await httpGet({
        url: new URL(url),
        headers: {
          accept: 'application/json',
          'x-prometheus-refresh-interval-seconds': String(refreshMs / 1000),
          ...(etag !== undefined && { 'if-none-match': etag }),
        },
        client,
        timeoutMs: Math.min(refreshMs, timeoutMsMax),
        bodyBytesMax,
        abort,
      });
      if (answer.status === 304 && etag !== undefined) return undefined;
      if (answer.status !== 200) throw new Error(`${shown} answered ${answer.status}, expected 200`);
      const type = answer.headers['content-type'] ?? '';
      if (!/^application\/json\s*(;|$)/i.test(type)) {
        throw new Error(`${shown} answered with content type "${type}", expected application/json`);
      }
      const groups = parseTargetGroups(answer.body.toString('utf8'), 'json', url, { __meta_url: url });
      etag = answer.headers.etag;
      return groups;
    };
    return startRefreshing({ intervalMs: refreshMs, refresh, onGroups });
  };
}
