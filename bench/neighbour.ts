import { z } from 'zod';
import { callOnce, startToolProcess } from './tool-process.ts';

/** A worker's process that calls one good server on request, and all the time those beside it that are down or hang. */
const taskSchema = z.object({ good: z.string(), down: z.array(z.string()), hanging: z.array(z.string()) });
export type NeighbourTask = z.output<typeof taskSchema>;

const CONVERSATIONS = 20;
/** So often somebody wants a tool of a server that is down. */
const WANTED_EVERY_MS = 100;

if (process.send !== undefined) {
  const task = taskSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
  const servers = [task.good, ...task.down, ...task.hanging].map((url) => ({ url }));
  const { join } = startToolProcess();
  const catalogues = await Promise.all(Array.from({ length: CONVERSATIONS }, (_, nth) => join(nth, servers)));
  const [first] = catalogues;
  if (first === undefined) throw new Error('nobody joined');

  const call = (nth: number, server: number) =>
    callOnce(catalogues[nth % CONVERSATIONS] ?? first, `server_${server}`).catch(() => 0);
  const hang = async (server: number): Promise<void> => {
    // Until its timeout, and then once more.
    for (let nth = 0; ; nth += 1) {
      await call(nth, server);
      await new Promise((resolve) => setTimeout(resolve, WANTED_EVERY_MS));
    }
  };
  task.hanging.forEach((_, index) => void hang(1 + task.down.length + index));
  let wanted = 0;
  if (task.down.length > 0)
    setInterval(() => {
      wanted += 1;
      void call(wanted, 1 + (wanted % task.down.length));
    }, WANTED_EVERY_MS);

  process.on('disconnect', () => process.exit());
  process.on('message', async (calls) => {
    const values: number[] = [];
    for (let nth = 0; nth < z.number().parse(calls); nth += 1) values.push(await callOnce(first, 'server_0'));
    process.send?.(values);
  });
  process.send([]);
}
