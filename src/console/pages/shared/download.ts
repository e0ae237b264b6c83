import { asProblem, readProblem } from '../../client/problem.ts';

/**
 * Saves what the API answers as a file. A link can't: it would carry no token.
 *
 * @throws Problem
 */
export async function download(
  path: string,
  accessToken: () => Promise<string>,
  name: string,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { authorization: `Bearer ${await accessToken()}` } });
    if (!response.ok) throw readProblem(response.status, await response.json().catch(() => undefined));
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    URL.revokeObjectURL(url);
  } catch (error) {
    throw asProblem(error);
  }
}
