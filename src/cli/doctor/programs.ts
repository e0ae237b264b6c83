import type { Config } from '../../config.ts';
import { namespaceWorks } from '../../tools/child-limits.ts';
import { type Finding, Findings } from './check.ts';

/** Whether tool programs, which run beside the worker, are kept from the secrets that it was started with. */
export async function checkPrograms(
  tools: Pick<Config['tools'], 'servers' | 'allowInlineStdio'>,
  hasNamespaces: () => Promise<boolean> = namespaceWorks,
): Promise<readonly Finding[]> {
  const findings = new Findings('tools');
  const sameUser = Object.entries(tools.servers).flatMap(([name, { runAs }]) => (runAs ? [] : [name]));
  if (tools.allowInlineStdio) sameUser.push('inline commands');
  if (sameUser.length === 0) return [];
  if (await hasNamespaces())
    findings.ok('programs', "have a user namespace each: they can't read the worker's environment or memory");
  else
    findings.warn(
      'programs',
      `can read the environment of the worker, secrets included: ${sameUser.join(', ')}`,
      'Give them a user of their own ("runAs" in TOOL_SERVERS), or allow user namespaces to the worker.',
    );
  return findings.list;
}
