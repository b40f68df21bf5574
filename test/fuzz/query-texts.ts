/** What clients of the query API send: PromQL of all new kinds, selectors, remote read requests. */

import snappy from 'snappyjs';
import { DecodeError, RefusedError } from '#model/errors.ts';
import { renderExpression } from '#query/api/prometheus/expression-json.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { resolveDurations } from '#query/promql/duration-expression.ts';
import { parsePromql, parseSelector } from '#query/promql/parser.ts';
import { prettifyPromql } from '#query/promql/prettify.ts';
import { printPromql } from '#query/promql/printer.ts';
import { decodeReadRequest, parseReadRequest } from '#query/remote-read/read-request.ts';
import type { Lcg } from '../support/lcg.ts';
import { encodeReadRequest } from '../support/naive/prometheus-proto.ts';
import type { FuzzedDecoder } from './fuzzed-decoder.ts';

const expressions = [
  'rate(x[5m + step() * 2] anchored offset -min_of(1h, range() / 4))',
  'sum by (job, "a.b") (rate({"http.requests", "l.x"=~"a|b"}[5m:1m] @ start()))',
  'a + on (job) group_left ("x y") fill_left (1) fill_right (-2.5e3) b',
  'histogram_quantiles(x, "q", 0.5, 0.9) </ 1e-3 or y >/ Inf',
  'x smoothed offset (10m - 5s ^ 2 % 7)',
  'limit_ratio(-0.5, {__name__=~".+", a!="\\u00e9\\x41"}) unless ignoring () vector(-3 ^ 2)',
  'label_replace(info(x @ 1609746000.5, {y="z"}), "a", `$1`, \'b\', "(.*)")',
  'topk without () (0x1F, max_over_time(x[1d]))',
];

const readRequest = (random: Lcg): Uint8Array =>
  encodeReadRequest({
    queries: [
      {
        startTimestampMs: random.int(1000),
        endTimestampMs: 1_767_225_600_000 + random.int(1000),
        matchers: [
          { type: random.int(4), name: '__name__', value: 'up|x.*' },
          { type: 0, name: 'job', value: 'é' },
        ],
      },
    ],
    acceptedResponseTypes: [1, 0],
  });

/** Everything that is done with a query before it is evaluated. What is printed must be read as the same again. */
function readExpression(bytes: Uint8Array): unknown {
  const expression = parsePromql(Buffer.from(bytes).toString());
  const printed = printPromql(expression);
  if (printPromql(parsePromql(printed)) !== printed)
    throw new Error(`BUG: ${printed} is read as something else`);
  parsePromql(prettifyPromql(expression));
  renderExpression(expression);
  return resolveDurations(expression, { stepMs: 15_000, rangeMs: 3_600_000 });
}

export const queryTexts: readonly FuzzedDecoder[] = [
  {
    name: 'PromQL expressions',
    make: (random) => Buffer.from(random.pick(expressions)),
    decode: readExpression,
    mayThrow: [ParseError, RefusedError],
  },
  {
    name: 'PromQL selectors',
    make: () => Buffer.from('{"http.requests", "l.x"=~"a|b", c!="d"}'),
    decode: (bytes) => parseSelector(Buffer.from(bytes).toString()),
    mayThrow: [ParseError],
  },
  {
    name: 'remote read requests',
    make: readRequest,
    decode: parseReadRequest,
    mayThrow: [DecodeError],
  },
  {
    name: 'remote read requests, compressed',
    make: (random) => snappy.compress(readRequest(random)),
    decode: decodeReadRequest,
    mayThrow: [DecodeError],
  },
];
