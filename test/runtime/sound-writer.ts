import { SoundFolder } from '../../src/runtime/sound-folder.ts';

/** One of two processes that keep the same sounds at the same time, over and over: `node sound-writer.ts FOLDER`. */
const folder = await SoundFolder.open({ path: process.argv[2] ?? '', mostBytes: 1_000_000 });
for (let round = 0; round < 5; round += 1) {
  await Promise.all(
    Array.from({ length: 20 }, (_, nth) =>
      folder.write(`shared ${nth}`, new Int16Array(2_000 + nth).fill(process.pid % 30_000)),
    ),
  );
}
process.exit(0);
