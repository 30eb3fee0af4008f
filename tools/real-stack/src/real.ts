import { runReal } from './stack/cli.ts';

process.exitCode = await runReal(process.argv.slice(2), {
  root: process.cwd(),
  tell: (line) => process.stderr.write(`${line}\n`),
  print: (text) => process.stdout.write(`${text}\n`),
});
