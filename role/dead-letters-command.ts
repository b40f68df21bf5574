/** `sonde dead-letters ...`: what an operator does with messages that could not be decoded. See docs/dead-letters.md. */
import type { Kafka } from 'kafkajs';
import { hasSameValue, type LetterFacts, parseLetter, placeName } from '#collector/kafka/letter.ts';
import { type Letter, type LetterFilter, readLetters } from '#collector/kafka/letter-listing.ts';
import { LetterReplay, receiverTarget } from '#collector/kafka/letter-replay.ts';
import { printable, timeText, viewBounds, viewLetter } from '#collector/kafka/letter-view.ts';
import { TopicReader } from '#collector/kafka/topic-reader.ts';
import { ConfigError, errorMessage, RefusedError } from '#model/errors.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import type { SondeConfig } from './config-tables.ts';
import { countFlag, type LetterFlags, letterFilter, parseLetterAddress } from './letter-flags.ts';
import type { CommandContext } from './store-command.ts';

export interface LetterContext extends CommandContext {
  readonly printBytes: (bytes: Uint8Array) => void;
}

const pageLettersDefault = 50;
const replayLettersDefault = 1000;
/** What failed so often is not replayed by a filter: whoever wants it names it. */
const replaysMaxDefault = 3;
const columnWidths = [10, 24, 12, 26, 9, 9];

/** Newest first, a page at a time. */
export async function listLetters(context: LetterContext, flags: LetterFlags): Promise<number> {
  const { config, print, tell } = context;
  const limit = countFlag('limit', flags.limit, pageLettersDefault);
  const kafka = kafkaOf(config);
  await using reader = await TopicReader.open(kafka, letterTopic(config));
  const filter = letterFilter(flags, reader.ranges.length);
  const before = flags.before === undefined ? undefined : (await findLetter(reader, flags.before)).facts;
  let last: Letter | undefined;
  let count = 0;
  for await (const letter of readLetters(reader, { ...filter, before }, overflow(tell))) {
    if (count === limit) {
      tell(`there are more: --before ${address(last!)}\n`);
      return 0;
    }
    if (flags.json === true) print(`${JSON.stringify(letterJson(letter))}\n`);
    else {
      if (count === 0) print(row(['LETTER', 'WRITTEN', 'TENANT', 'FROM', 'BYTES', 'STATE', 'REASON']));
      print(row(cells(letter)));
    }
    count++;
    last = letter;
  }
  if (count === 0) tell(`${reader.topic} holds no such letter\n`);
  return 0;
}

/** One letter, read as far as it can be; `--raw` writes the body as it came. */
export async function showLetter(
  { config, print, printBytes }: LetterContext,
  text: string,
  flags: LetterFlags,
): Promise<number> {
  const linesMax = countFlag('lines', flags.lines, viewBounds.linesMax);
  const kafka = kafkaOf(config);
  await using reader = await TopicReader.open(kafka, letterTopic(config));
  const { facts, record } = await findLetter(reader, text);
  await using sources = new SourceReaders(kafka);
  const value = await sources.valueOf(facts, record);
  if (flags.raw === true) {
    if (value === null) throw new ConfigError(`the letter ${text} has no body`);
    printBytes(value);
    return 0;
  }
  const signal = signalOf(config, facts.source.topic);
  const lines = await viewLetter(facts, record, value, signal, { ...viewBounds, linesMax });
  print(`${lines.join('\n')}\n`);
  return 0;
}

/** Exit code 1 where a letter could not be sent. */
export async function replayLetters(
  { config, print, tell }: LetterContext,
  addresses: readonly string[],
  flags: LetterFlags,
): Promise<number> {
  const kafka = kafkaOf(config);
  await using reader = await TopicReader.open(kafka, letterTopic(config));
  await using sources = new SourceReaders(kafka);
  const letters = addresses.length > 0 ? [] : await chooseLetters(reader, flags, tell);
  for (const text of addresses) letters.push((await findLetter(reader, text)).facts);
  // In the order in which they came.
  letters.sort((a, b) => a.writtenMs - b.writtenMs || a.partition - b.partition || a.offset - b.offset);
  const target =
    flags.to === undefined
      ? undefined
      : receiverTarget(httpUrl(flags.to), (topic) => signalOf(config, topic));
  await using replay =
    flags.dryRun === true ? undefined : await LetterReplay.start(kafka, reader.topic, target);
  let sent = 0;
  let failed = 0;
  for (const facts of letters) {
    if (replay === undefined) {
      const where = flags.to ?? `${facts.source.topic}/${facts.source.partition}`;
      print(`would replay ${address(facts)} to ${where}: ${printable(facts.reason)}\n`);
      continue;
    }
    try {
      const { record } = await findLetter(reader, address(facts));
      const replayedTo = await replay.send(facts, record, await sources.valueOf(facts, record));
      print(`replayed ${address(facts)} to ${replayedTo}\n`);
      sent++;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      print(`not replayed ${address(facts)}: ${printable(errorMessage(error))}\n`);
      failed++;
    }
  }
  tell(
    replay === undefined
      ? `${letters.length} letters would be replayed\n`
      : `${sent} replayed, ${failed} not\n`,
  );
  return failed === 0 ? 0 : 1;
}

async function chooseLetters(
  reader: TopicReader,
  flags: LetterFlags,
  tell: (text: string) => void,
): Promise<LetterFacts[]> {
  const filter: LetterFilter = letterFilter(flags, reader.ranges.length);
  const isBounded = Object.values(filter).some((value) => value !== undefined);
  if (!isBounded && flags.all !== true) {
    throw new ConfigError('say which letters: their addresses, a filter such as --tenant, or --all');
  }
  const limit = countFlag('limit', flags.limit, replayLettersDefault);
  const replaysMax = countFlag('replays-max', flags.replaysMax, replaysMaxDefault);
  const chosen: LetterFacts[] = [];
  let done = 0;
  let tooOften = 0;
  for await (const letter of readLetters(reader, filter, overflow(tell))) {
    if (letter.replayedTo !== undefined && flags.again !== true && flags.replayed !== true) done++;
    else if (letter.replays >= replaysMax) tooOften++;
    else if (chosen.length === limit) {
      tell(`the newest ${limit} letters are taken (--limit): repeat the command for the others\n`);
      break;
    } else chosen.push(letter);
  }
  if (done > 0) tell(`${done} letters were replayed before: --again sends them once more\n`);
  if (tooOften > 0) {
    tell(
      `${tooOften} letters failed after ${replaysMax} replays or more: --replays-max or their addresses\n`,
    );
  }
  return chosen;
}

async function findLetter(
  reader: TopicReader,
  text: string,
): Promise<{ readonly facts: LetterFacts; readonly record: KafkaRecord }> {
  const { partition, offset } = parseLetterAddress(text, reader.ranges.length);
  const record = await reader.readOne(partition, offset);
  const facts = record === undefined ? undefined : parseLetter(partition, record);
  if (record === undefined || facts === undefined) {
    throw new ConfigError(`there is no letter ${text} in ${reader.topic}`);
  }
  return { facts, record };
}

/** The topics that letters came from: for bodies that were too large for the topic of letters. */
class SourceReaders implements AsyncDisposable {
  readonly #kafka: Kafka;
  readonly #readers = new Map<string, Promise<TopicReader>>();

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** null where there is none, or it is gone. */
  async valueOf(facts: LetterFacts, record: KafkaRecord): Promise<Buffer | null> {
    if (!facts.isValueDropped) return record.value;
    const { topic, partition, offset } = facts.source;
    const opening = this.#readers.get(topic) ?? TopicReader.open(this.#kafka, topic);
    this.#readers.set(topic, opening);
    try {
      const source = await (await opening).readOne(partition, offset);
      // A topic that was made anew has another message there.
      return source !== undefined && hasSameValue(facts, source) ? source.value : null;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#readers.values()) {
      const reader = await opening.catch(() => undefined);
      await reader?.[Symbol.asyncDispose]();
    }
  }
}

function kafkaOf({ transport }: SondeConfig): Kafka {
  if (transport.kind !== 'kafka') {
    throw new ConfigError(
      'there are no dead letters without Kafka (transport.kind is direct): what cannot be decoded is refused, and its ' +
        'sender told why. Give --brokers, or the configuration of the collectors with --config',
    );
  }
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  return createKafka({ brokers: transport['kafka.brokers'], clientId: 'sonde-dead-letters', log: quiet });
}

function letterTopic({ transport }: SondeConfig): string {
  return transport['kafka.topics.dead_letters'];
}

function signalOf({ transport }: SondeConfig, topic: string): Signal | undefined {
  return signals.find((signal) => transport[`kafka.topics.${signal}`] === topic);
}

function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new ConfigError(`--to must be the base URL of a receiver, not ${JSON.stringify(text)}`);
  }
  return text;
}

function overflow(tell: (text: string) => void): () => void {
  return () =>
    tell('there are too many letters to remember: older ones may be shown twice, and as not replayed\n');
}

function address({ partition, offset }: Pick<LetterFacts, 'partition' | 'offset'>): string {
  return `${partition}/${offset}`;
}

function letterJson(letter: Letter): object {
  const { writtenMs, sourceMs, ...facts } = letter;
  return { ...facts, letter: address(letter), written: timeText(writtenMs), produced: timeText(sourceMs) };
}

function cells(letter: Letter): string[] {
  const replays = letter.replays > 0 ? `failed ${letter.replays + 1}x` : 'pending';
  return [
    address(letter),
    timeText(letter.writtenMs),
    letter.tenant,
    placeName(letter.source),
    String(letter.valueBytes),
    letter.replayedTo === undefined ? replays : 'replayed',
    letter.reason,
  ].map(printable);
}

function row(texts: readonly string[]): string {
  return `${texts.map((text, index) => text.padEnd(columnWidths[index] ?? 0)).join('  ')}\n`;
}
