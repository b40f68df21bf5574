/** Opens a store and says how that went. */
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';

process.env.UV_THREADPOOL_SIZE = '16';
try {
  const store = await openEmbeddedStore({ path: process.argv[2] ?? '' });
  await store.close();
  console.log('opened');
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  console.log(code, message);
}
