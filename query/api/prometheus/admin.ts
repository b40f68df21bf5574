/**
 * Prometheus's administration of stored series, off unless api.admin says otherwise: delete_series, clean_tombstones and
 * snapshot.
 *
 *   POST /api/v1/admin/tsdb/delete_series?match[]=up{job="old"}&start=...&end=...  ->  204
 */
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { renderSuccess } from '../prometheus-reply.ts';
import type { Answer, Call, SeriesAdministration } from './call.ts';

export async function answerDeleteSeries(call: Call): Promise<Answer> {
  const admin = administration(call);
  const { params, tenant, abort } = call;
  if (params.list('match[]').length === 0) throw new RefusedError('no match[] parameter provided');
  const range = params.range();
  await admin.deleteSeries(tenant, params.matchers(), range, abort);
  return undefined;
}

export async function answerCleanTombstones(call: Call): Promise<Answer> {
  await administration(call).cleanTombstones();
  return undefined;
}

/** A backup of the whole store: `skip_head` has no meaning, as there is no head apart. */
export async function answerSnapshot(call: Call): Promise<Answer> {
  const admin = administration(call);
  call.params.flag('skip_head', false, (text) => unreadable(text));
  return renderSuccess(JSON.stringify({ name: await admin.snapshot() }));
}

function unreadable(text: string): RefusedError {
  return new RefusedError(
    `invalid parameter "skip_head": unable to parse boolean: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

function administration({ options }: Call): SeriesAdministration {
  if (options.admin === undefined) throw new UnavailableError('admin APIs disabled: set api.admin to true');
  return options.admin;
}
