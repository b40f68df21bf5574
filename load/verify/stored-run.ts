/** What a verification looks for: a run, its senders where they are known, and when it was. */
import type { SenderKind, SenderReport } from '../run-report.ts';
import { SequenceTally } from './sequence-tally.ts';

export interface StoredRun {
  readonly run: string;
  /** Milliseconds since 1970; records of the run are looked for in this time. */
  readonly startUnixMs: number;
  readonly endUnixMs: number;
  readonly pageLines: number;
  readonly spansPerTrace: number;
  readonly seriesCount: number;
  readonly tallies: RunTallies;
}

/** A tally for each sender: those that the report names, or those that are met where there is no report. */
export class RunTallies {
  readonly #known: ReadonlyMap<string, SenderReport> | undefined;
  readonly #tallies = new Map<string, { readonly kind: SenderKind; readonly tally: SequenceTally }>();
  /** Records of the run whose sender the report does not name. */
  strangers = 0;

  constructor(senders?: readonly SenderReport[]) {
    this.#known = senders === undefined ? undefined : new Map(senders.map((sender) => [sender.name, sender]));
    for (const { name, kind, written } of senders ?? []) {
      this.#tallies.set(name, { kind, tally: new SequenceTally(written) });
    }
  }

  /** Counts a record that was read from the store. `kindMet` is what it is, where nothing else says so. */
  add(kindMet: SenderKind, sender: string, seq: number, isWhole: boolean): void {
    let entry = this.#tallies.get(sender);
    if (entry === undefined) {
      if (this.#known !== undefined || this.#tallies.size >= sendersMax) {
        this.strangers++;
        return;
      }
      entry = { kind: kindMet, tally: new SequenceTally() };
      this.#tallies.set(sender, entry);
    }
    entry.tally.add(seq, isWhole);
  }

  get hasReport(): boolean {
    return this.#known !== undefined;
  }

  sent(sender: string): SenderReport | undefined {
    return this.#known?.get(sender);
  }

  entries(): [name: string, { readonly kind: SenderKind; readonly tally: SequenceTally }][] {
    return [...this.#tallies];
  }
}

/** As many as a plan has containers and pushers at most; bounds what a store without a report can fill. */
const sendersMax = 20_000;
