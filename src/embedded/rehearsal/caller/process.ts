import { z } from 'zod';
import { type CustomerOptions, CustomerRoom } from './room.ts';

/** A customer's client as a process of its own, so that it can be killed as a real one is. Driven over IPC. */

const commandSchema = z.object({
  id: z.number(),
  name: z.enum(['connect', 'send', 'say', 'prepare', 'hush', 'leave']),
  argument: z.unknown(),
});
const optionsSchema: z.ZodType<CustomerOptions> = z.object({
  url: z.string(),
  token: z.string(),
  channel: z.enum(['chat', 'voice']),
  agentPrefix: z.string().optional(),
  speech: z
    .object({ baseUrl: z.string(), key: z.string().optional(), voice: z.string().optional() })
    .optional(),
  resend: z.boolean().optional(),
}) as z.ZodType<CustomerOptions>;
const messageSchema = z.object({ text: z.string(), id: z.string().optional() });

let customer: CustomerRoom | undefined;

async function run({ name, argument }: z.output<typeof commandSchema>): Promise<unknown> {
  if (name === 'connect') {
    customer = new CustomerRoom(optionsSchema.parse(argument), (event) => process.send?.({ event }));
    return customer.connect();
  }
  if (customer === undefined) throw new Error('not connected');
  switch (name) {
    case 'send': {
      const { text, id } = messageSchema.parse(argument);
      return customer.send(text, id);
    }
    case 'say':
      return customer.say(z.string().parse(argument));
    case 'prepare':
      await customer.prepare(z.string().parse(argument));
      return undefined;
    case 'hush':
      return customer.hush();
    case 'leave':
      return customer.leave();
  }
}

process.on('message', (message) => {
  const command = commandSchema.parse(message);
  run(command).then(
    (value) => process.send?.({ answer: { id: command.id, value } }),
    (error: unknown) => process.send?.({ answer: { id: command.id, error: String(error) } }),
  );
});
process.on('disconnect', () => process.exit(0));
