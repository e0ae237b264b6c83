import { useQuery } from '@tanstack/react-query';
import * as z from 'zod/mini';
import { readProblem } from '../client/problem.ts';
import { useApp } from './app-context.ts';

const meSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(['admin', 'supervisor']),
  business: z.object({ name: z.string(), time_zone: z.string() }),
});
export type Me = z.output<typeof meSchema>;

/** Who is signed in; `undefined` until it is known. */
export function useMe(): Me | undefined {
  const { session } = useApp();
  const load = async (): Promise<Me> => {
    const response = await fetch('/v1/me', {
      headers: { authorization: `Bearer ${await session.accessToken()}` },
    });
    const body: unknown = await response.json();
    if (!response.ok) throw readProblem(response.status, body);
    return meSchema.parse(body);
  };
  return useQuery({ queryKey: ['me'], queryFn: load, staleTime: 60_000 }).data;
}
