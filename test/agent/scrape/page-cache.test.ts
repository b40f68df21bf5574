/**
 * Goal: what is remembered of a target's last pages never shows in what the next one gives.
 * Method: random pages go through one target, one after the other, and each of them through a new target; and their series
 * through the code that makes strings, which is the simple one.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitSeries } from '#agent/scrape/series-admission.ts';
import { parseSeriesText } from '#agent/scrape/series-text.ts';
import type { SeriesTracker } from '#agent/scrape/series-tracker.ts';
import type { Labels } from '#model/labels.ts';
import { PageTarget, pageSettings } from './page-target.ts';

const metric = fc.constantFrom('a', 'ab', 'h_bucket', 'h_count', 's', 'long_metric_name_total');
const labelName = fc.constantFrom('job', 'instance', 'exported_job', 'le', 'quantile', 'code', '__x', 'Z');
const labelValue = fc.oneof(
  fc.constantFrom(
    '',
    '1',
    '0.50',
    '+Inf',
    'GET',
    'é',
    '\\"',
    '\\\\n',
    'a=b,c}',
    ' ',
    'http://10.0.0.1:8080/path',
  ),
  fc.string({ unit: fc.constantFrom('x', 'y', '7'), maxLength: 40 }),
);
const labels = fc
  .uniqueArray(fc.tuple(labelName, labelValue), { selector: ([name]) => name, maxLength: 5 })
  .map((pairs) => pairs.map(([name, value]) => `${name}="${value}"`));
const series = fc
  .tuple(metric, labels, fc.constantFrom('plain', 'comma', 'blanks', 'quoted'))
  .map(([name, pairs, style]) => {
    if (style === 'quoted') return `{"${name}"${pairs.map((pair) => `,${pair}`).join('')}}`;
    if (pairs.length === 0) return name;
    if (style === 'comma') return `${name}{${pairs.join(',')},}`;
    return style === 'blanks' ? `${name} { ${pairs.join(' , ')} }` : `${name}{${pairs.join(',')}}`;
  });
const value = fc.oneof(
  fc.double({ noNaN: true }).map(String),
  fc.integer().map(String),
  fc.constantFrom(
    '1e+06',
    '1.234567e+06',
    '-0',
    '5.',
    '.5',
    '1E3',
    '+7',
    'NaN',
    '+Inf',
    '123456789012345678',
    '2.5e-7',
  ),
);
const line = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(series, value).map(([text, number]) => `${text} ${number}`) },
  { weight: 1, arbitrary: fc.tuple(series, fc.nat(2000)).map(([text, time]) => `${text} 1 ${time}`) },
  fc.constantFrom('# TYPE h histogram', '# TYPE h gauge', '# TYPE s summary', '# HELP a What.', '', '# x'),
);

/** Pages that are like the page before, as a target's are. */
const pages = fc
  .tuple(
    fc.array(line, { minLength: 1, maxLength: 12 }),
    fc.array(fc.tuple(fc.nat(11), line), { maxLength: 8 }),
  )
  .map(([first, changes]) => {
    const all = [first, first];
    for (const [at, changed] of changes) all.push(all.at(-1)!.with(at % first.length, changed));
    return all.map((lines) => `${lines.join('\n')}\n`);
  });

const ownLabels = { job: 'api', instance: 'i:1' };

test.each([false, true])(
  'pages give the same after other pages as alone, labels honored: %s',
  (isHonoringLabels) => {
    fc.assert(
      fc.property(pages, (texts) => {
        const target = new PageTarget({ labels: ownLabels, isHonoringLabels });
        for (const [i, text] of texts.entries()) {
          const alone = new PageTarget({ labels: ownLabels, isHonoringLabels });
          for (let skipped = 0; skipped < i; skipped++) alone.scrape(undefined);
          // Times that stand still or go back are taken or not by what was written before; metadata is kept where it is not
          // said again; and a family's type counts from the page on that follows it.
          const own = (lines: string[]): string[] =>
            lines
              .filter((row) => !row.includes('stale') && row.includes(`@${(i + 1) * 1000}`))
              .map(withoutMetadata);
          if (/# TYPE/.test(texts.join(''))) target.scrape(text);
          else expect(own(target.scrape(text))).toEqual(own(alone.scrape(text)));
        }
      }),
      { numRuns: 300 },
    );
  },
);

test.each([false, true])(
  'series read as bytes have the labels that strings give, labels honored: %s',
  (isHonoringLabels) => {
    fc.assert(
      fc.property(fc.array(series, { minLength: 1, maxLength: 20 }), (texts) => {
        const settings = pageSettings({ labels: ownLabels, isHonoringLabels });
        const expected = new Set(
          texts.map((text) => {
            const bytes = new TextEncoder().encode(text);
            return JSON.stringify(admitSeries(parseSeriesText(bytes, 0, bytes.length), settings));
          }),
        );
        const target = new PageTarget({ labels: ownLabels, isHonoringLabels });
        target.scrape(texts.map((text) => `${text} 1\n`).join(''));
        expect(new Set(seriesOf(target.tracker).map((row) => JSON.stringify(row)))).toEqual(expected);
        expect(target.tracker.seriesCount).toBe(expected.size);
      }),
      { numRuns: 500 },
    );
  },
);

test('a value is the double that its text is nearest to, on the first page and on the next', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (texts) => {
      const target = new PageTarget();
      const page = texts.map((text, i) => `m{i="${String(i).padStart(2, '0')}"} ${text}\n`).join('');
      const numbers = texts.map((text) =>
        String(/inf/i.test(text) ? Number(text.replace(/inf$/i, 'Infinity')) : Number(text)).replace(
          /^0$/,
          '0',
        ),
      );
      for (const round of [1, 2]) {
        const rows = target.scrape(page).map((row) => row.split(' ')[1]!.replace(/^-0$/, '0'));
        expect(rows, `page ${round}`).toEqual(numbers);
      }
    }),
    { numRuns: 300 },
  );
});

function seriesOf(tracker: SeriesTracker): Labels[] {
  return Array.from({ length: tracker.seriesCount }, (_, number) => tracker.labels(number));
}

function withoutMetadata(row: string): string {
  return row.replace(/(@\d+).*$/, '$1');
}
