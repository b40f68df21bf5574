/**
 * A bounded map whose removed entries stay for a while: the logs of a pod are still read when the pod is gone.
 *
 *   set('a'), remove('a'), get('a') -> still there; sweep(keepMs later), get('a') -> undefined
 *
 * Where it is full, a new entry takes the place of the one that was removed first; where nothing was removed, it is
 * refused, and the caller says so.
 */

interface Entry<Value> {
  value: Value;
  /** Infinity while the entry is live. */
  removedAtMs: number;
}

export class RetainedMap<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  /** In the order of removal: the first is the oldest. */
  readonly #removed = new Set<string>();
  readonly #entriesMax: number;
  readonly #keepMs: number;
  readonly #onEvict: (value: Value) => void;

  /** `onEvict` is called with each value that is forgotten, whatever for. */
  constructor(entriesMax: number, keepMs: number, onEvict: (value: Value) => void = () => {}) {
    this.#entriesMax = entriesMax;
    this.#keepMs = keepMs;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Of entries that were not removed. */
  get liveSize(): number {
    return this.#entries.size - this.#removed.size;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Returns false where there is no room. An entry that was removed is live again. */
  set(key: string, value: Value): boolean {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.value = value;
      entry.removedAtMs = Infinity;
      this.#removed.delete(key);
      return true;
    }
    if (this.#entries.size >= this.#entriesMax && !this.#evictOldest()) return false;
    this.#entries.set(key, { value, removedAtMs: Infinity });
    return true;
  }

  remove(key: string, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.removedAtMs !== Infinity) return;
    entry.removedAtMs = nowMs;
    this.#removed.add(key);
  }

  /** Removes all that `keys` does not name. */
  keepOnly(keys: ReadonlySet<string>, nowMs: number): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.remove(key, nowMs);
  }

  /** Forgets what was removed long enough ago. */
  sweep(nowMs: number): void {
    for (const key of this.#removed) {
      if (nowMs - this.#entries.get(key)!.removedAtMs < this.#keepMs) return;
      this.#evict(key);
    }
  }

  /** Live and removed ones. */
  *values(): IterableIterator<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Live ones only. */
  *liveValues(): IterableIterator<Value> {
    for (const [key, { value }] of this.#entries) if (!this.#removed.has(key)) yield value;
  }

  #evictOldest(): boolean {
    for (const key of this.#removed) {
      this.#evict(key);
      return true;
    }
    return false;
  }

  #evict(key: string): void {
    const { value } = this.#entries.get(key)!;
    this.#entries.delete(key);
    this.#removed.delete(key);
    this.#onEvict(value);
  }
}
