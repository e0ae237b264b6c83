import { createLog } from '../../src/log.ts';
import { openSpool } from '../../src/runtime/spool.ts';
import { SpoolFolder } from '../../src/runtime/spool-folder.ts';

/**
 * A worker (`make`, with a parent folder) or one of its processes (`open`, with its worker's folder) as the tests of the
 * spool kill it: keeps the records that follow, says where, and lives on.
 */
const [what, place = '', secretKey = '', ...records] = process.argv.slice(2);
const log = createLog({ level: 'silent' });
const secret = { secretKey, url: 'https://database.example' };
const folder = what === 'make' ? (await SpoolFolder.make({ parent: place, secret, log })).path : place;
const spool = openSpool(folder, secret, log);
const key = { interactionId: 'one', generation: 3 };
const said = { role: 'customer', spoken_at: 'then' } as const;
for (const item_id of records) {
  spool?.keep([{ key, message: { ...said, item_id, content: `secret of ${item_id}` } }]);
}
process.stdout.write(`${folder}\n`);
setInterval(() => {}, 1_000);
