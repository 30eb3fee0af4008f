import type { Check, CheckContext } from '../../check.ts';
import { judgeRules } from '../../rule.ts';
import { ADDRESS_RULES } from './address-rules.ts';
import { judgeGuide } from './guide-check.ts';
import { IDENTITY_RULES } from './identity-rules.ts';
import { injectedSources, sources } from './sources.ts';
import { ENVIRONMENT_RULES, INJECTION_RULES, VAULT_RULES } from './vault-rules.ts';

async function run({ root, report }: CheckContext): Promise<void> {
  const rules = [...IDENTITY_RULES, ...ADDRESS_RULES, ...ENVIRONMENT_RULES, ...VAULT_RULES];
  judgeRules(rules, await sources(root), report);
  judgeRules(INJECTION_RULES, await injectedSources(root), report);
  await judgeGuide(root, report);
}

export const agreementCheck: Check = {
  name: 'agreement',
  what: 'charts, policies, Terraform, guide and code agree on identities, roles, paths, audiences, ports and variables',
  run,
};
