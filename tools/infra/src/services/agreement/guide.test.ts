import { expect, test } from 'vitest';
import { helmCommands, valueFiles } from './guide.ts';

const GUIDE = `Text.

\`\`\`sh
kubectl create namespace a
helm install vault helm-charts/vault --namespace vault \\
  --set seal.key="$VAULT_KEY_ID" --set role=$(tf vault_init_role_arn) \\
  --set 'cidrs={10.0.0.0/8,10.1.0.0/16}'
helm -n vault test vault
\`\`\`

\`\`\`yaml
# my-vault.yaml: what is yours
a: 1
\`\`\`

\`\`\`yaml
b: 2
\`\`\`
`;

test('installs of a guide are found with their quotes taken off and answers put in', () => {
  expect(helmCommands(GUIDE)).toEqual([
    {
      ...{ release: 'vault', chart: 'helm-charts/vault' },
      args: [
        ...['--namespace', 'vault', '--set', 'seal.key=vault-key-id'],
        ...['--set', 'role=arn:aws:iam::111122223333:role/vault-init-role-arn'],
        ...['--set', 'cidrs={10.0.0.0/8,10.1.0.0/16}'],
      ],
    },
  ]);
});

test('files of values are the blocks that begin with a name', () => {
  expect([...valueFiles(GUIDE)]).toEqual([['my-vault.yaml', '# my-vault.yaml: what is yours\na: 1\n']]);
});
