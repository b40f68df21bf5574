/**
 * What stands between the fetching of a partition and its runs: it may hold messages back, say which part of them is
 * stored, and ask for older ones first. Runs are made of what it lets through, in the order of the log, so that the
 * intent protocol knows nothing of it.
 */
import type { BufferedMessage } from './message-buffer.ts';

/** Messages that may be put into runs, and the offset behind the last of them. */
export interface ReleasedMessages {
  readonly messages: readonly BufferedMessage[];
  readonly position: number;
}

export interface PartitionGate {
  /** The next offset to fetch. */
  readonly position: number;
  /** Bytes that are held back. They are bounded by the gate itself, and do not count towards what stops fetching. */
  readonly heldBytes: number;
  readonly isEmpty: boolean;
  /** Forgets everything. Runs begin at `next`; what is fetched from `from` to there is history, and not let through. */
  reset(next: number, from: number): void;
  /**
   * Takes what a fetch from `position` brought, nothing included. Must let messages through in order and each once;
   * `isAtEnd` says that the log has no more now. `nowMs` is of a clock that only goes forward.
   */
  push(
    messages: readonly BufferedMessage[],
    position: number,
    isAtEnd: boolean,
    nowMs: number,
  ): ReleasedMessages;
  /** Lets go of everything: what comes next is not what follows. */
  flush(): ReleasedMessages;
}

/** Makes the gates of partitions of traces. */
export interface PartitionGates {
  /** How far before the committed message a new owner has to read, in the time of messages. */
  readonly historyMs: number;
  /** `partitionCount`: of the topic. */
  gateOf(partitionCount: number): PartitionGate;
}

/** Lets everything through at once. */
export class OpenGate implements PartitionGate {
  readonly heldBytes = 0;
  readonly isEmpty = true;
  position = 0;

  reset(next: number): void {
    this.position = next;
  }

  push(messages: readonly BufferedMessage[], position: number): ReleasedMessages {
    this.position = position;
    return { messages, position };
  }

  flush(): ReleasedMessages {
    return { messages: [], position: this.position };
  }
}
