/** A store that does what another one does, but for some of its verbs; and to those who ask whose it is, it is another one. */
import type { Store } from '#store/store.ts';

export function storeOver(store: Store, changes: Partial<Store> = {}): Store {
  return {
    kind: store.kind,
    exec: (sql, options) => store.exec(sql, options),
    insert: (block, token) => store.insert(block, token),
    rows: (sql, options) => store.rows(sql, options),
    stream: (sql, options) => store.stream(sql, options),
    ping: () => store.ping(),
    close: () => store.close(),
    ...changes,
  };
}
